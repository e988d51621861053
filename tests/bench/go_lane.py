"""An ext_proc server in Go (`go_peer/main.go`) as a lane of the bench: what a sidecar in Go would cost at least.

Built by the Go toolchain where there is one; nothing of the product is in Go, and nothing but this lane needs it.
"""

import asyncio
import shutil
from pathlib import Path

_SOURCE = Path(__file__).with_name("go_peer")
# The first build fetches modules.
_BUILD_S = 300.0
_START_S = 20.0

MISSING = "GO IS NOT INSTALLED, and a sidecar in Go was not measured; next: https://go.dev/doc/install"


def is_there() -> bool:
    return shutil.which("go") is not None


async def build(directory: Path) -> Path:
    """The program, built into `directory`. Raises RuntimeError with the compiler's words."""
    program = directory / "go-peer"
    pipe = asyncio.subprocess.PIPE
    building = await asyncio.create_subprocess_exec(
        *("go", "build", "-o", str(program), "."), cwd=_SOURCE, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(_BUILD_S):
        said, _ = await building.communicate()
    if building.returncode != 0:
        raise RuntimeError(f"go build: {said.decode(errors='replace')[-2_000:]}")
    return program


class GoPeer:
    """It as a process on a Unix socket."""

    def __init__(self, program: Path, socket: Path) -> None:
        self._program = program
        self._socket = socket
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it listens."""
        self._process = await asyncio.create_subprocess_exec(str(self._program), str(self._socket))
        async with asyncio.timeout(_START_S):
            while not self._socket.exists():
                assert self._process.returncode is None, "it ended"
                await asyncio.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> None:
        """At once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
