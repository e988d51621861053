"""Both transports on the same session core, side by side: what one answers the other must answer.

Each serves a Unix socket of its own from one event loop in a thread; conversations are coroutines on that loop. The
core is the shipped one: sessions, policies and the log parser, with a clock that stands still.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from extproc.accesslog.wire import entries_of
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.outcome.observation import Observation
from extproc.processing.session import ProcessSession
from extproc.processing.tagging import Tagging
from extproc.telemetry.tables import Counter, Histogram, Metric
from extproc.transport.own.server import OwnTransport
from extproc.transport.port import Transport
from extproc.transport.reference.server import GrpcioTransport
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.messages import POLICY

T = TypeVar("T")
STORY_S = 60.0


@dataclass
class Core:
    """The sidecar behind one transport, and what it has heard."""

    requests: Counter = field(default_factory=lambda: Counter(Metric("requests", "", ("result",))))
    observations: list[tuple[str, Observation]] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)
    log_messages: int = 0
    opened: int = 0
    clock: ManualClock = field(default_factory=ManualClock)
    policies: PolicyHolder = field(default_factory=lambda: PolicyHolder(10_000))

    def __post_init__(self) -> None:
        self.policies.replace(PolicySet("p1", {"chat": POLICY}))

    def open_process(self) -> ProcessSession:
        self.opened += 1
        return ProcessSession(self.policies, self.requests, self._observed, self.clock)

    def _observed(self, request_id: str, observation: Observation) -> None:
        self.observations.append((request_id, observation))

    def access_logs(self, message: bytes) -> None:
        self.log_messages += 1
        try:
            self.entries += entries_of(message)
        except DecodeError:
            self.requests.add(("bad_log",))

    def forget(self) -> None:
        self.requests.values.clear()
        self.observations.clear()
        self.entries.clear()
        self.log_messages = 0

    def heard(self) -> tuple[object, ...]:
        """Everything, in an order that does not depend on which call was quicker."""
        entries = sorted(map(repr, self.entries))
        return dict(self.requests.values), sorted(map(repr, self.observations)), entries, self.log_messages


@dataclass
class Side:
    """One of the two."""

    name: str
    socket: Path
    transport: Transport
    core: Core


class Both:
    """Runs a conversation on each side."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sides: tuple[Side, Side]) -> None:
        self._loop = loop
        self.sides = sides

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, STORY_S), self._loop).result()

    def each(self, story: Callable[[Side], Coroutine[Any, Any, T]]) -> dict[str, T]:
        """What the story gave on each side."""
        return {side.name: self.run(story(side)) for side in self.sides}

    def agreed(self, story: Callable[[Side], Coroutine[Any, Any, T]]) -> T:
        """The same on both, in answers and in what the core has heard."""
        for side in self.sides:
            side.core.forget()
        answers = self.each(story)
        assert answers["own"] == answers["grpcio"], answers
        self.run(self._until_heard())
        return answers["own"]

    async def _until_heard(self) -> None:
        """What was sent last may still be on its way to the core of the slower one."""
        for _ in range(500):
            own, reference = (side.core.heard() for side in self.sides)
            if own == reference:
                return
            await asyncio.sleep(0.01)
        assert own == reference, (own, reference)


@contextmanager
def both(directory: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[Both]:
    """Serving for as long as the block lasts."""
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    processing = Histogram(Metric("p", "", (), (1.0,)))
    sides = []
    for name in ("own", "grpcio"):
        core, path = Core(), directory / name
        transport: Transport = GrpcioTransport(path, core, processing)
        if name == "own":  # as shipped: what is known is answered at once
            at_once = Tagging(core.policies, core.requests, core.clock).at_once
            transport = OwnTransport(path, core, processing, at_once=at_once)
        sides.append(Side(name, path, transport, core))
    running = Both(loop, (sides[0], sides[1]))
    try:
        running.each(lambda side: side.transport.start())
        yield running
        running.each(lambda side: side.transport.drain())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
