"""What the peer did wrong."""

from controlplane.errors import SerinusError


class BadReportError(SerinusError):
    """A sidecar sent something that cannot be true."""

    code = "bad_report"
