"""A part of a bench in a process of its own: a line of JSON asks, a line of JSON answers, the end of input ends it."""

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

# A profile, or the figures of a few hundred steps.
_LINE_BYTES_MAX = 16 * 1024 * 1024
ASK_TIMEOUT_S = 300.0

Answer = Mapping[str, Any]


class Worker:
    """The asking side. `ask` raises RuntimeError when the process has ended."""

    def __init__(self, process: asyncio.subprocess.Process, module: str) -> None:
        self._process = process
        self._module = module

    @classmethod
    async def start(cls, module: str, *arguments: str) -> "Worker":
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, limit=_LINE_BYTES_MAX
        )
        return cls(process, module)

    async def ask(self, what: str, **how: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **how}).encode() + b"\n")
        async with asyncio.timeout(ASK_TIMEOUT_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} has ended in the middle of {what!r}; its words are on stderr")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(30):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def answer_all(answers: Mapping[str, Callable[..., Awaitable[Answer]]]) -> None:
    """The asked side: until the end of input."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        answer = await answers[asked.pop("what")](**asked)
        print(json.dumps(answer), flush=True)


def allow_files() -> None:
    """A socket a stream: as many open files as the system lets this user have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
