"""Users of a service: the `openai` SDK through the gateway, without its retries, which would hide failures."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from serinus.contract.headers import VERSION
from tests.skips import skip

CLIENTS = 4  # two slots in each of two servers
TIMEOUT_S = 60.0


@dataclass
class Seen:
    """By version: answers that came to their end, and those that did not."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)

    def requests(self, version: str) -> int:
        return self.answered[version] + self.failed[version]


class Users:
    """An async context manager: they ask while the block runs. `ask` makes the request of a number."""

    def __init__(self, address: str, host: str, ask: Callable[[int], Mapping[str, Any]], *, clients: int) -> None:
        try:
            # Installed for these tests alone: whoever collects the others has it not.
            import openai
        except ImportError:
            skip("the openai SDK is not installed", next_step="make test-llm")
        self._openai = openai
        self.seen = Seen()
        self._ask, self._clients = ask, clients
        self._number = 0
        self.begun = Counter[str]()  # whose status has come
        self._client = openai.AsyncOpenAI(
            base_url=f"http://{address}/v1",
            api_key="none",
            max_retries=0,
            timeout=TIMEOUT_S,
            default_headers={"host": host},
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Users":
        self._tasks = [asyncio.create_task(self._loop()) for _ in range(self._clients)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._client.close()

    async def _loop(self) -> None:
        while True:
            number, self._number = self._number, self._number + 1
            await self.one(number)

    async def one(self, number: int) -> None:
        """One request, to the end of its answer."""
        version = ""
        try:
            raw = await self._client.chat.completions.with_raw_response.create(**self._ask(number))
            version = raw.headers.get(VERSION, "")
            self.begun[version] += 1
            said = raw.parse()
            if isinstance(said, self._openai.AsyncStream):
                async with said:
                    async for _ in said:
                        pass
            self.seen.answered[version] += 1
        except self._openai.APIStatusError as error:
            self._failed(error.response.headers.get(VERSION, ""), error)
        except self._openai.APIError as error:
            self._failed(version, error)

    def _failed(self, version: str, error: Exception) -> None:
        self.seen.failed[version] += 1
        self.seen.words.append(f"{version}: {type(error).__name__}: {error}"[:200])
