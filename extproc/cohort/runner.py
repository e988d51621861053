"""The policy folder: lists of ids (one a line, UTF-8 or any other bytes), files of places, keys of testers' tokens.

Reading a million ids takes about a second of one core; it is done off the event loop, and hands the interpreter back
often, so that requests wait for microseconds. A file that is missing, too large, malformed, or changes under the
reading is refused by BadFileError; whoever asked keeps what is in force. To replace a file without that risk: rename.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from extproc.cohort import idlist, mmdb
from extproc.cohort.errors import BadFileError
from extproc.cohort.files import FileNames, Files
from serinus.contract.token import keys_of

# A million e-mail addresses are 25 MB; a line may have 4 KiB, a million of them is a mistake.
FILE_BYTES_MAX = 256 * 1024 * 1024
# A list takes 8 MB, a file of cities 30 MB.
FILES_MAX = 16
# Some keys of some dozen bytes; whatever is more is no key file.
KEY_FILE_BYTES_MAX = 8 * 1024

# Of a file: device, inode, size, time of change. None: it is not there.
_Stamp = tuple[int, int, int, int] | None


T = TypeVar("T")


class _Shelf(Generic[T]):
    """The files of one kind. A file that has not changed is not read again."""

    def __init__(self, folder: Path, read: Callable[[BinaryIO], T], bytes_max: int = FILE_BYTES_MAX) -> None:
        self._folder = folder
        self._read = read
        self._bytes_max = bytes_max
        self._loaded: dict[str, tuple[_Stamp, T]] = {}
        self._looked_at: dict[str, _Stamp] = {}

    def load(self, names: Collection[str]) -> Mapping[str, T]:
        self._looked_at = {name: self._stamp(name) for name in names}
        self._loaded |= {name: self._one(name) for name in sorted(names)}
        self._loaded = {name: self._loaded[name] for name in names}
        return {name: content for name, (_, content) in self._loaded.items()}

    def has_changed(self) -> bool:
        return any(self._stamp(name) != stamp for name, stamp in self._looked_at.items())

    def _one(self, name: str) -> tuple[_Stamp, T]:
        known = self._loaded.get(name)
        if known is not None and known[0] == self._stamp(name):
            return known
        path = self._folder / name
        try:
            return self._content(path)
        except FileNotFoundError:
            raise BadFileError(f"{path}: no such file", next_step="put the file there") from None
        except OSError as error:
            raise BadFileError(f"{path}: {error.strerror}") from None
        except BadFileError as error:
            raise BadFileError(f"{path}: {error.message}", next_step=error.next_step) from None

    def _content(self, path: Path) -> tuple[_Stamp, T]:
        # A named pipe would be waited for; its kind is told once it is open.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise BadFileError("is no regular file")
            if before.st_size > self._bytes_max:
                raise BadFileError(f"{before.st_size} bytes, at most {self._bytes_max}")
            content = self._read(file)
            if _stamp_of(os.fstat(file.fileno())) != _stamp_of(before):
                raise BadFileError("changed while it was read", next_step="replace files by rename")
            return _stamp_of(before), content

    def _stamp(self, name: str) -> _Stamp:
        try:
            return _stamp_of(os.stat(self._folder / name))
        except OSError:
            return None


class PolicyFolder:
    """Files by name and kind. Calls may come from several threads; one at a time does the work."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._lock = threading.Lock()
        self._lists = _Shelf(folder, lambda file: idlist.read(_lines(file), seed=seed, pause=_let_others_run))
        self._places = _Shelf(folder, lambda file: mmdb.read(file.read(FILE_BYTES_MAX + 1), pause=_let_others_run))
        self._keys = _Shelf(folder, _keys, KEY_FILE_BYTES_MAX)

    def load(self, names: FileNames) -> Files:
        """Blocks. Raises BadFileError; what was loaded stays."""
        if len(names) > FILES_MAX:
            raise BadFileError(f"{len(names)} files, at most {FILES_MAX}")
        with self._lock:
            keys = self._keys.load(names.keys)
            return Files(self._lists.load(names.lists), self._places.load(names.places), keys)

    def has_changed(self) -> bool:
        """Whether a file that was last asked for is another now. Cheap."""
        return any(shelf.has_changed() for shelf in (self._lists, self._places, self._keys))


def _keys(file: BinaryIO) -> tuple[bytes, ...]:
    try:
        return keys_of(file.read(KEY_FILE_BYTES_MAX + 1))
    except ValueError as error:
        raise BadFileError(str(error), next_step="write a key a line, `openssl rand -hex 32` makes one") from None


def _stamp_of(found: os.stat_result) -> _Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Each bounded by the file's own bound: it may have grown since it was looked at."""
    while line := file.readline(FILE_BYTES_MAX):
        yield line


def _let_others_run() -> None:
    """CPython would do so after 5 ms only."""
    time.sleep(0)
