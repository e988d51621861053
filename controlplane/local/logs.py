"""Log files of the child processes: bounded, private to the user, and quoted in errors."""

import os
import shutil
from pathlib import Path

# Three processes, two files each: at most 96 MiB on a laptop; at Envoy's 200 bytes a line 80,000 lines a file.
LOG_BYTES_MAX = 16 * 1024 * 1024
# At most this long over the limit. The busiest writer measured is Envoy with one line a request (a dead sidecar
# without the component log level): 7,000 lines/s would be 14 MB in this time.
LOG_CHECK_INTERVAL_S = 10.0
# What an error shows: enough for a Python traceback, little enough for a terminal.
TAIL_LINES_MAX = 15
TAIL_BYTES_MAX = 4096


def open_log(path: Path) -> int:
    """A descriptor for appending: several processes may hold it, and a cut below them is no hole."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def begin(path: Path) -> None:
    """Keep one former log as `.1` and start an empty one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        path.replace(_former(path))
    os.close(open_log(path))


def trim(path: Path, *, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Copy a log that is too long to `.1` and empty it in place: its writers hold it open for appending."""
    if path.exists() and path.stat().st_size > bytes_max:
        shutil.copyfile(path, _former(path))
        os.truncate(path, 0)


def tail(path: Path) -> str:
    """The last lines, to be put behind a message; "" if there are none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES_MAX))
            lines = log.read().decode(errors="replace").splitlines()[-TAIL_LINES_MAX:]
    except OSError:
        return ""
    return f"; the end of {path}:\n  " + "\n  ".join(lines) + "\n" if lines else ""


def _former(path: Path) -> Path:
    return path.with_name(path.name + ".1")
