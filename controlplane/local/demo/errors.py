"""Typed errors of the demo."""

from controlplane.errors import SerinusError


class ModelServerError(SerinusError):
    """A model server cannot run on this machine, or did not get ready."""

    code = "model_server"
