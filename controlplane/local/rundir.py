"""Where one machine's stack keeps its files: the socket, the Envoy bootstrap, the logs, and a lock."""

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from controlplane.local import logs
from controlplane.local.errors import StateInUseError

# sizeof(sockaddr_un.sun_path) is 108 on Linux, its closing zero included (unix(7)); a new sidecar binds a name beside
# the socket first and renames it: ".extproc.sock.4194304" is 9 bytes longer.
SOCKET_PATH_BYTES_MAX = 107 - 9
NAMES = ("controlplane", "extproc", "envoy")


@dataclass(slots=True)
class RunDir:
    """Made by `prepare`; `close` gives the lock back. `notes` are sentences the user should see."""

    run: Path
    logs: Path
    socket: Path
    notes: tuple[str, ...] = ()
    _short: Path | None = None
    _lock: IO[bytes] | None = field(default=None, repr=False)

    @property
    def bootstrap(self) -> Path:
        return self.run / "envoy.yaml"  # Envoy tells the format by the ending

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def close(self) -> None:
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def prepare(state_dir: Path) -> RunDir:
    """Make the directories (0700: the socket's permissions are its only guard), take the lock, begin new logs.

    Raises StateInUseError if another stack holds the directory.
    """
    run, log_dir = state_dir / "run", state_dir / "logs"
    for each in (run, log_dir):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(run / "stack.lock", state_dir)
    for name in NAMES:
        logs.begin(log_dir / f"{name}.log")
    socket = (run / "extproc.sock").absolute()
    if len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX:
        return RunDir(run.absolute(), log_dir.absolute(), socket, _lock=lock)
    short = Path(tempfile.mkdtemp(prefix="serinus-", dir="/tmp"))  # mkdtemp makes it 0700
    note = f"the sidecar's socket is {short}/extproc.sock: {socket} is too long for a Unix socket"
    return RunDir(run.absolute(), log_dir.absolute(), short / "extproc.sock", (note,), short, lock)


def _lock(path: Path, state_dir: Path) -> IO[bytes]:
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StateInUseError(
            f"another stack runs on {state_dir}", next_step="stop it, or give another --state"
        ) from error
    return lock
