"""A real PostgreSQL for tests: Debian's binaries, a cluster of its own in a temporary directory, one for all tests of a
process. Each test has a schema of its own in it.

PostgreSQL refuses root: as root the user `postgres` runs it. Durable writes are off (`fsync`): a test ends the server,
never the machine.
"""

import asyncio
import atexit
import functools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import asyncpg

from tests import skips
from tests.ports import free_port
from tests.waiting import eventually

_SETTINGS = ("fsync=off", "max_connections=60", "shared_buffers=16MB", "autovacuum=off", "log_min_messages=fatal")


class Postgres:
    """Starts at once; `stop` and `start` again keep what is in it."""

    def __init__(self, programs: Path, directory: Path, as_user: list[str]) -> None:
        self._programs, self._directory, self._as_user = programs, directory, as_user
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        data = [str(programs / "initdb"), "-D", str(directory / "data"), "-U", "serinus", "-A", "trust", "--no-sync"]
        self._call([*data, "-E", "UTF8", "--locale=C.UTF-8"])
        self.start()

    def _call(self, command: list[str]) -> None:
        subprocess.run([*self._as_user, *command], check=True, capture_output=True, timeout=120, cwd=self._directory)

    def start(self) -> None:
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self._directory / "data"), "-p", str(self.port)]
        command += ["-h", "127.0.0.1", "-k", str(self._directory), *options]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, *command], stdout=log, stderr=log, cwd=self._directory, start_new_session=True
            )
        eventually(self._answers, what="PostgreSQL to answer", timeout_s=60)

    def _answers(self) -> bool:
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False, timeout=30).returncode == 0

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT ends every session at once; SIGQUIT is a crash."""
        if self._process is not None:
            # setpriv has become the server itself: its process id is the server's.
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def address(self) -> str:
        """Of a new, empty schema."""
        schema = "t" + secrets.token_hex(6)
        plain = f"postgresql://serinus@127.0.0.1:{self.port}/postgres"

        async def make() -> None:
            connection = await asyncpg.connect(plain)
            await connection.execute(f"CREATE SCHEMA {schema}")
            await connection.close()

        asyncio.run(make())
        return f"{plain}?search_path={schema}"

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


def execute(address: str, sql: str) -> None:
    """As somebody else who has the database's password."""

    async def run() -> None:
        connection = await asyncpg.connect(address)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(run())


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


@functools.cache
def _start() -> Callable[[], Postgres]:
    programs = _programs()
    if programs is None:
        return lambda: skips.skip("no PostgreSQL on this machine", next_step="apt-get install postgresql")
    directory = Path(tempfile.mkdtemp(prefix="serinus-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(directory, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    server = Postgres(programs, directory, as_user)
    atexit.register(server.remove)
    return lambda: server


def postgres() -> Postgres:
    """The one of this process, started when the first test needs it; skips loudly where it is not installed."""
    return _start()()
