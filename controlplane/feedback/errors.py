"""Why something cannot be said of a request. Each message says what to look at next."""

from controlplane.errors import SerinusError


class UnknownRequestError(SerinusError):
    """No id of this installation."""

    code = "not_found"


class TooOldError(SerinusError):
    """Said of a request that is no part of any rollout any more."""

    code = "too_old"


class ForgedRequestError(SerinusError):
    """An id whose parts do not belong together."""

    code = "forged"


class BadFeedbackError(SerinusError):
    """What is said cannot be."""

    code = "invalid_request"
