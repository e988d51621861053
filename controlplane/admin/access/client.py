"""The file of access tokens, read anew when it has changed: a token that was removed is of no use any more.

A file that cannot be read, or that others than its owner could write, gives no token: nobody gets in by it.
"""

import logging
import os
import stat
from pathlib import Path

from controlplane.security.access import FILE_BYTES_MAX, Token, parse
from controlplane.security.errors import TokenFileError

log = logging.getLogger("serinus.admin")

_Version = tuple[int, int, int]


class TokenFile:
    """Raises TokenFileError when it is made, if the file is no good."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: _Version | None = None
        self._tokens: tuple[Token, ...] = ()
        self._take()

    def tokens(self) -> tuple[Token, ...]:
        """Those in force. A look at the file's times costs some 2 us."""
        try:
            if self._stamp() != self._version:
                self._take()
        except TokenFileError as error:
            if self._tokens or self._version is not None:
                log.error("no access token is good until this is mended: %s", error)
            self._version, self._tokens = None, ()
        return self._tokens

    def _stamp(self) -> _Version:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise _unreadable(self._path, error) from None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _take(self) -> None:
        self._tokens, self._version = read_tokens(self._path), self._stamp()


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file. Raises TokenFileError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise TokenFileError(f"{path} can be written by others than its owner", next_step=f"chmod 600 {path}")
    if len(data) > FILE_BYTES_MAX:
        raise TokenFileError(f"{path} has more than {FILE_BYTES_MAX} bytes", next_step="give the file of the tokens")
    try:
        return parse(data.decode(), where=str(path))
    except UnicodeDecodeError:
        raise TokenFileError(f"{path} is no text", next_step="give the file of `serinus access add`") from None


def _unreadable(path: Path, error: OSError) -> TokenFileError:
    return TokenFileError(
        f"--tokens {path} cannot be read: {error.strerror}",
        next_step="`serinus access add NAME` makes it",
    )
