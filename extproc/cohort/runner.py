"""List files of cohort rules, read from one folder: one id a line, UTF-8 or any other bytes.

Reading a million ids takes about a second of one core; it is done off the event loop, and hands the interpreter back
often, so that requests wait for microseconds. A file that is missing, too large, malformed, or changes under the
reading is refused by BadListError; whoever asked keeps what is in force. To replace a file without that risk: rename.
"""

import os
import stat
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from extproc.cohort.idlist import BadListError, IdList, read

# A million e-mail addresses are 25 MB; a line may have 4 KiB, a million of them is a mistake.
FILE_BYTES_MAX = 256 * 1024 * 1024
# 8 MB each.
LISTS_MAX = 16

# Of a file: device, inode, size, time of change. None: it is not there.
_Stamp = tuple[int, int, int, int] | None


class ListFolder:
    """Lists by name. Calls may come from several threads; one at a time does the work."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[_Stamp, IdList]] = {}
        self._looked_at: dict[str, _Stamp] = {}

    def load(self, names: Collection[str]) -> Mapping[str, IdList]:
        """Blocks. A file that has not changed is not read again. Raises BadListError; what was loaded stays."""
        if len(names) > LISTS_MAX:
            raise BadListError(f"{len(names)} list files, at most {LISTS_MAX}")
        with self._lock:
            self._looked_at = {name: self._stamp(name) for name in names}
            self._loaded |= {name: self._one(name) for name in sorted(names)}
            self._loaded = {name: self._loaded[name] for name in names}
            return {name: ids for name, (_, ids) in self._loaded.items()}

    def has_changed(self) -> bool:
        """Whether a file that was last asked for is another now. Cheap."""
        return any(self._stamp(name) != stamp for name, stamp in self._looked_at.items())

    def _one(self, name: str) -> tuple[_Stamp, IdList]:
        known = self._loaded.get(name)
        if known is not None and known[0] == self._stamp(name):
            return known
        path = self._folder / name
        try:
            return self._read(path)
        except FileNotFoundError:
            raise BadListError(f"{path}: no such file", next_step="put the list there") from None
        except OSError as error:
            raise BadListError(f"{path}: {error.strerror}") from None
        except BadListError as error:
            raise BadListError(f"{path}: {error.message}", next_step=error.next_step) from None

    def _read(self, path: Path) -> tuple[_Stamp, IdList]:
        # A named pipe would be waited for; its kind is told once it is open.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise BadListError("is no regular file")
            if before.st_size > FILE_BYTES_MAX:
                raise BadListError(f"{before.st_size} bytes, at most {FILE_BYTES_MAX}")
            ids = read(_lines(file), seed=self._seed, pause=_let_others_run)
            if _stamp_of(os.fstat(file.fileno())) != _stamp_of(before):
                raise BadListError("changed while it was read", next_step="replace lists by rename")
            return _stamp_of(before), ids

    def _stamp(self, name: str) -> _Stamp:
        try:
            return _stamp_of(os.stat(self._folder / name))
        except OSError:
            return None


def _stamp_of(found: os.stat_result) -> _Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Each bounded by the file's own bound: it may have grown since it was looked at."""
    while line := file.readline(FILE_BYTES_MAX):
        yield line


def _let_others_run() -> None:
    """CPython would do so after 5 ms only."""
    time.sleep(0)
