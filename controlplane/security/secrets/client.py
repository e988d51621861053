"""Reads the files that manifests name from the control plane's secrets directory. A shell; it keeps nothing.

Rules: a file lies inside the directory after every symbolic link was followed (Kubernetes mounts secrets by links
inside of the volume; one that leads out is refused), is a plain file, and is at most 64 KiB. An error says which file
and why, never what it holds. Files are read anew at each call, so a renewed one is seen by whoever asks again.
"""

import os
import stat
from pathlib import Path

from controlplane.security.errors import SecretReadError

# A chain of four certificates is 8 KB; a bundle of private CAs stays below this. System bundles (200 KB) have no
# place in every proxy's memory once per version.
FILE_BYTES_MAX = 64 * 1024


def read_secret_file(directory: Path, name: str) -> bytes:
    """The content of one file. Raises SecretReadError."""
    try:
        root = directory.resolve(strict=True)
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreadable(directory, name, error) from None
    if not path.is_relative_to(root):
        raise SecretReadError(
            f"secret file {name} leads out of {directory}", next_step="put the file itself into the directory"
        )
    try:
        content = _read(path)
    except OSError as error:
        raise _unreadable(directory, name, error) from None
    if content is None:
        raise SecretReadError(f"secret file {name} in {directory} is no file", next_step="put a plain file there")
    if len(content) > FILE_BYTES_MAX:
        raise SecretReadError(
            f"secret file {name} in {directory} is larger than {FILE_BYTES_MAX} bytes",
            next_step="leave only what this version needs in it",
        )
    return content


def _read(path: Path) -> bytes | None:
    """One byte more than allowed at most; None if it is no plain file."""
    # Without waiting: a named pipe that nobody writes to would hold up everything.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)


def _unreadable(directory: Path, name: str, error: Exception) -> SecretReadError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
    return SecretReadError(
        f"secret file {name} in {directory} cannot be read: {reason}",
        next_step="check --secrets, the file's name and who may read it",
    )
