"""From a rollout's journal to its receivers: by the real engine, across restarts, and by who leads alone."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from controlplane.engine.hooks.calls import HookReply
from controlplane.engine.runner import Engine
from controlplane.notify.client import Sender
from controlplane.notify.lanes.runner import Lanes
from controlplane.notify.position import JOURNAL, position_of
from controlplane.notify.runner import NotifyRunner
from controlplane.rollout.events import Abort, Pause, Resume
from controlplane.store.memory import MemoryStore
from tests.unit.controlplane.engine.test_runner import Story, rollout, service
from tests.unit.controlplane.notify.lanes.test_runner import Receivers, Secrets
from tests.waiting import until

NOTIFY = "  notify: [{webhook: 'http://hook.test/'}, {webhook: 'http://steps.test/', on: [step, paused]}]\n"


class Notified:
    """A story with somebody who listens."""

    def __init__(self, store: MemoryStore, receivers: Receivers, at_ms: int) -> None:
        self.story, self.receivers, self.store, self.leads = Story(store), receivers, store, True
        self.story.clock.at_ms = at_ms
        engine = self.engine
        self.runner = NotifyRunner(
            engine,
            store,
            self.story.exporter,
            lambda: Lanes(Sender(receivers), Secrets(), self.story.exporter, engine.now_ms, pause_s=lambda _: 0.0),
            is_leading=lambda: self.leads,
        )

    @property
    def engine(self) -> Engine:
        return self.story.engine

    async def look(self, after_s: float = 0.0) -> None:
        """Time passes, the engine ticks, and what is new goes out."""
        self.story.clock.at_ms += round(after_s * 1000)
        await self.engine._tick()
        await self.runner.look()
        if self.runner._lanes is not None:
            lanes = self.runner._lanes
            await until(lambda: not lanes.waiting())

    def events(self, host: str = "hook") -> list[str]:
        return [json.loads(call.body)["event"] for call in self.receivers.calls if f"//{host}." in call.url]


def played(
    tell: Callable[[Notified], Awaitable[None]],
    *,
    store: MemoryStore | None = None,
    receivers: Receivers | None = None,
    at_ms: int = 1_700_000_000_000,
    killed: bool = False,
) -> Notified:
    async def run() -> Notified:
        notified = Notified(store or MemoryStore(), receivers or Receivers(), at_ms)
        await notified.engine.start()
        try:
            await tell(notified)
        finally:
            if not killed:
                await notified.runner.close()
            notified.runner._forget()
            await notified.engine.close()
        return notified

    return asyncio.run(run())


async def begin(notified: Notified) -> None:
    await notified.story.apply(service("chat"), rollout("chat") + NOTIFY)
    await notified.story.all_is_well()
    await notified.look()


def test_each_receiver_is_told_what_it_asked_for() -> None:
    async def tell(notified: Notified) -> None:
        await begin(notified)
        now_ms = notified.engine.now_ms()
        await notified.engine.command("chat-v2", Pause(now_ms, "ada", "lunch"))
        await notified.engine.command("chat-v2", Resume(now_ms, "ada", ""))
        await notified.engine.command("chat-v2", Abort(now_ms, "ada", "no"))
        await notified.look()
        assert notified.events() == ["started", "aborted"]
        assert notified.events("steps") == ["step", "paused"]
        body = json.loads(notified.receivers.calls[-1].body)
        assert (body["rollout"], body["service"]) == ("chat-v2", "chat")

    played(tell)


def test_a_lasting_hold_is_told_once_and_its_end_once() -> None:
    async def tell(notified: Notified) -> None:
        await begin(notified)
        notified.story.fleet.leave("edge-1")
        for _ in range(6):
            await notified.look(10)
        assert notified.events() == ["started", "hold"]
        notified.story.fleet.connect("edge-1")
        notified.story.fleet.accept("edge-1")
        await notified.look(10)
        await notified.look(10)
        assert notified.events()[:2] == ["started", "hold"]

    played(tell)


def test_after_an_orderly_end_nothing_is_told_twice() -> None:
    store, receivers = MemoryStore(), Receivers()

    async def first(notified: Notified) -> None:
        await begin(notified)

    async def second(notified: Notified) -> None:
        await notified.look(10)
        assert notified.events() == ["started"]
        await notified.engine.command("chat-v2", Abort(notified.engine.now_ms(), "ada", "no"))
        await notified.look()
        assert notified.events() == ["started", "aborted"]

    played(first, store=store, receivers=receivers)
    (kept,) = store.records(JOURNAL, 1)
    position = position_of(kept)
    assert position is not None
    assert position.serial >= 2
    store.prune_batches(1 << 62)  # the sidecar's first report is none that could be read again
    played(second, store=store, receivers=receivers, at_ms=1_700_000_100_000)


def test_after_a_kill_what_nobody_took_is_told_under_the_same_id() -> None:
    store, before, after = MemoryStore(), Receivers(), Receivers()

    async def first(notified: Notified) -> None:
        await begin(notified)
        notified.runner._saved_at_s = -1e9
        await notified.look()
        before.hanging = {"hook"}
        await notified.engine.command("chat-v2", Abort(notified.engine.now_ms(), "ada", "no"))
        await notified.runner.look()
        await asyncio.sleep(0)

    async def second(notified: Notified) -> None:
        await notified.look()
        assert notified.events() == ["aborted"]

    played(first, store=store, receivers=before, killed=True)
    store.prune_batches(1 << 62)  # the sidecar's first report is none that could be read again
    played(second, store=store, receivers=after, at_ms=1_700_000_100_000)


def test_what_happened_before_anybody_listened_is_told_to_nobody() -> None:
    async def tell(notified: Notified) -> None:
        await notified.story.apply(service("chat"), rollout("chat"))
        await notified.look()
        now_ms = notified.engine.now_ms()
        await notified.engine.command("chat-v2", Pause(now_ms, "ada", ""))
        await notified.story.apply(rollout("chat") + NOTIFY)
        await notified.look()
        assert notified.events() == ["started"], "the change of the plan"
        assert notified.events("steps") == []

    played(tell)


def test_who_does_not_lead_tells_nobody_and_who_begins_to_goes_on() -> None:
    async def tell(notified: Notified) -> None:
        notified.leads = False
        await begin(notified)
        assert notified.events() == []
        notified.leads = True
        await notified.look()
        assert notified.events() == ["started"]
        notified.leads = False
        await notified.look()
        assert notified.runner._lanes is None

    played(tell)


def test_a_receiver_that_fails_is_found_in_the_rollouts_view() -> None:
    receivers = Receivers(hook=[HookReply(404, "gone")])

    async def tell(notified: Notified) -> None:
        await begin(notified)
        await notified.look()
        assert notified.engine.notes == {
            "chat-v2": ("a notification failed: webhook http://hook.test/ answered 404: gone",)
        }

    played(tell, receivers=receivers)


def test_the_engine_goes_on_while_receivers_hang() -> None:
    receivers = Receivers()
    receivers.hanging = {"hook", "steps"}

    async def tell(notified: Notified) -> None:
        await notified.story.apply(service("chat"), rollout("chat") + NOTIFY)
        await notified.story.all_is_well()
        loop = asyncio.get_running_loop()
        before = loop.time()
        for _ in range(20):
            await notified.engine._tick()
            await notified.runner.look()
        assert loop.time() - before < 2.0
        assert b"serinus_notifications_waiting 2.0" in notified.story.exporter.text()

    played(tell, receivers=receivers)
