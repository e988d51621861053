"""A file of the policy folder cannot be used; what was in force stays in force."""

from extproc.errors import SidecarError


class BadFileError(SidecarError):
    code = "bad_file"
