"""One unit of journald, followed by its own reader, `journalctl --follow`. It starts that process and ends it."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

log = logging.getLogger("serinus.logs")

JOURNALCTL = ("journalctl",)
_FLAGS = ("--follow", "--lines=0", "--output=cat", "--no-pager", "--quiet")
PIECE_BYTES_MAX = 64 * 1024
# Between two starts: it ends at once where there is no journal.
PAUSE_S, PAUSE_S_MAX = 1.0, 60.0
# What it says when it starts or fails; a reader that is up for so long follows.
SETTLED_S = 1.0


class UnitTail:
    """`take` gets what the unit wrote, in pieces; `tell` why it is not followed, "" when it is."""

    def __init__(
        self,
        unit: str,
        take: Callable[[bytes], None],
        tell: Callable[[str], None],
        *,
        command: Sequence[str] = JOURNALCTL,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._unit, self._take, self._tell = unit, take, tell
        self._command, self._pause_s = (*command, *_FLAGS, f"--unit={unit}"), pause_s

    async def run(self) -> None:
        """Until cancelled; a reader that ends is started anew, ever later."""
        pause_s = self._pause_s
        while True:
            if await self._follow():
                pause_s = self._pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def _follow(self) -> bool:
        """Whether anything came of one reader's life."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            self._tell(f"{self._command[0]} cannot be started: {error.strerror}")
            return False
        try:
            return await self._read(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> bool:
        assert process.stdout is not None, "it was asked for"
        reading = asyncio.ensure_future(process.stdout.read(PIECE_BYTES_MAX))
        try:
            await asyncio.wait({reading}, timeout=SETTLED_S)
            if not reading.done():
                self._tell("")
            has_come = False
            while piece := await reading:
                self._tell("")
                self._take(piece)
                has_come = True
                reading = asyncio.ensure_future(process.stdout.read(PIECE_BYTES_MAX))
        finally:
            reading.cancel()
        self._tell(f"journalctl ended with exit code {await process.wait()}")
        return has_come
