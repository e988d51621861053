"""One round over a server that answers, one that does not and one that is only a process."""

import asyncio
import socket
from contextlib import closing

from controlplane.signals.book import Place, SignalBook
from controlplane.signals.client import ScrapeClient
from controlplane.signals.runner import SignalRunner
from controlplane.signals.signal import Signal
from controlplane.signals.targets import Target


class Told(ScrapeClient):
    """Answers one address, as a server would."""

    async def text(self, url: str) -> str | None:
        return "tgi_queue_size 5\nprocess_resident_memory_bytes 1\n" if url.endswith(":1/metrics") else None


def test_a_round_asks_everyone_and_keeps_what_came() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        targets = (
            Target(Place("chat", "v1", "a"), "http://10.0.0.1:1/metrics"),
            Target(Place("chat", "v2", "b"), "http://10.0.0.1:2/metrics"),
            Target(Place("chat", "v3", "c"), "http://10.0.0.1:1/metrics", port),
        )
        book = SignalBook()
        runner = SignalRunner(book, lambda: targets, lambda: 1_000)
        asyncio.run(runner.round(Told()))
    assert book.of("chat", "v1", 1_000).reading == {Signal.QUEUE: 5.0, Signal.MEMORY: 1.0}
    silent = book.of("chat", "v2", 1_000)
    assert (silent.sources, silent.answering) == (1, 0)
    local = book.of("chat", "v3", 1_000).reading
    assert local[Signal.QUEUE] == 5.0
    assert local[Signal.MEMORY] > 1.0, "what the system says of a process goes before its own words"


def test_it_goes_on_after_a_round_that_failed_until_it_is_cancelled() -> None:
    rounds: list[int] = []
    done = asyncio.Event()

    def targets() -> tuple[Target, ...]:
        rounds.append(1)
        if len(rounds) == 3:
            done.set()
        raise RuntimeError("manifests are broken")

    async def run() -> None:
        task = asyncio.create_task(SignalRunner(SignalBook(), targets, lambda: 0, every_s=0.001).run())
        async with asyncio.timeout(30):
            await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
