"""One log file, followed as `tail -F` does: through rotation by rename and by truncation. A shell; it blocks.

Rules as for secret files: it lies below the directory after every symbolic link was followed, and is a plain file.
What was there before it was first looked at is no news and is passed over.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

# Of one look, so that a file that is far ahead does not keep the others waiting; and where following ends and jumping
# begins: lines that come minutes late would be counted against the wrong requests.
PIECE_BYTES_MAX = 1 << 20
BEHIND_BYTES_MAX = 16 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """`fault`: why nothing can be read. `skipped_bytes`: passed over before this piece."""

    data: bytes = b""
    fault: str = ""
    skipped_bytes: int = 0


class FileTail:
    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._descriptor: int | None = None
        self._offset = 0
        self._is_known = False

    def read(self) -> Piece:
        """What was written since the last look, at most PIECE_BYTES_MAX. Never raises for what a file system does."""
        try:
            return self._read()
        except (OSError, RuntimeError, ValueError) as error:
            # Until it is back it cannot have been read to its end; what comes then is new.
            self._is_known = True
            return Piece(fault=error.strerror if isinstance(error, OSError) and error.strerror else "no path")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> Piece:
        if self._descriptor is None:
            if fault := self._open(at_end=not self._is_known):
                return Piece(fault=fault)
            self._is_known = True
        descriptor = self._descriptor
        assert descriptor is not None, "it was opened"
        size = os.fstat(descriptor).st_size
        if size < self._offset:
            self._offset = 0
        skipped = size - self._offset - PIECE_BYTES_MAX if size - self._offset > BEHIND_BYTES_MAX else 0
        self._offset += skipped
        data = os.pread(descriptor, PIECE_BYTES_MAX, self._offset)
        self._offset += len(data)
        if not data:
            self._turn(descriptor)
        return Piece(data, "", skipped)

    def _turn(self, descriptor: int) -> None:
        """Once a file is read to its end, go on with the one that has its name now. While none has, its writer may
        still hold this one."""
        now, there = os.fstat(descriptor), self._path().stat()
        if (now.st_dev, now.st_ino) != (there.st_dev, there.st_ino):
            self.close()

    def _path(self) -> Path:
        """Raises OSError if there is none."""
        return (self._directory.resolve(strict=True) / self._name).resolve(strict=True)

    def _open(self, *, at_end: bool) -> str:
        """Why it was not; "": it is open."""
        path = self._path()
        if not path.is_relative_to(self._directory.resolve(strict=True)):
            return "leads out of --server-logs"
        # Without waiting: a named pipe that nobody writes to would hold up everything.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            return "is no plain file"
        self._descriptor = descriptor
        self._offset = found.st_size if at_end else 0
        return ""
