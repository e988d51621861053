"""Calls of hooks: at least once, under the key that the journal had before the first of them; bounded."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest

from controlplane.engine.hooks.calls import HookCall, HookReply
from controlplane.engine.hooks.runner import HookRunner
from controlplane.engine.runner import Engine
from controlplane.engine.secrets import Reading
from controlplane.engine.world import World
from controlplane.rollout.events import Abort, HooksEnded, Retry
from controlplane.rollout.hooks import hook_of
from controlplane.rollout.model import Aborted, Preparing, Publishing
from controlplane.store.memory import MemoryStore
from controlplane.store.port import StoreError
from tests.unit.controlplane.engine.test_runner import T0_MS, Story, rollout, service

HOOKS = """\
  hooks:
    before_start: [{url: 'http://gate/start', auth: {file: gate}}]
    before_step: [{url: 'http://gate/one', retries: 2}, {url: 'http://gate/two', retries: 0}]
    after_rollback: [{url: 'http://gate/back'}]
"""


class Gate:
    """Answers as it is told, by path; else yes."""

    def __init__(self, **answers: list[HookReply]) -> None:
        self.answers = answers
        self.calls: list[HookCall] = []
        self.hangs = False

    async def call(self, call: HookCall, /) -> HookReply:
        self.calls.append(call)
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        answers = self.answers.get(call.url.rpartition("/")[2])
        return answers.pop(0) if answers else HookReply(200)

    @property
    def asked(self) -> list[str]:
        return [call.url.rpartition("/")[2] for call in self.calls]


class Secrets:
    def read(self, names: Collection[str], /) -> Reading:
        return Reading(dict.fromkeys(names, b" s3cret\n"))


def gated(gate: Gate, store: MemoryStore | None = None) -> Story:
    story = Story(store or MemoryStore())
    engine = story.engine
    engine._hooks = HookRunner(gate, Secrets(), now_ms=engine.now_ms, ended=engine.command, wait_s=lambda _: 0.0)
    return story


async def until(story: Story, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await story.engine._tick()
            await asyncio.sleep(0.001)


def played(gate: Gate, tell: Callable[[Story], Awaitable[Any]], *, store: MemoryStore | None = None) -> None:
    async def run() -> None:
        story = gated(gate, store)
        await story.engine.start()
        try:
            await tell(story)
        finally:
            await story.engine.close()

    asyncio.run(run())


async def begin(story: Story) -> None:
    await story.apply(service("chat"), rollout("chat") + HOOKS)
    await story.all_is_well()


def outcome(engine: Engine) -> str:
    run = hook_of(engine.world.rollout("chat-v2").phase)
    return run.outcome if run else ""


def test_every_hook_is_called_in_order_and_then_the_step_begins() -> None:
    gate = Gate(one=[HookReply(503), HookReply(0, "none within 10 s"), HookReply(204)])

    async def tell(story: Story) -> None:
        await begin(story)
        await until(story, lambda: story.phases() == {Publishing})

    played(gate, tell)
    assert gate.asked == ["start", "one", "one", "one", "two"]
    assert gate.calls[0].headers["authorization"] == "Bearer s3cret"
    assert len({call.headers["idempotency-key"] for call in gate.calls}) == 3, "a call again has the same key"


def test_a_hook_that_says_no_holds_with_its_words_and_a_retry_calls_the_list_anew() -> None:
    gate = Gate(two=[HookReply(409, "closed for s3cret")])

    async def tell(story: Story) -> None:
        await begin(story)
        await until(story, lambda: outcome(story.engine) == "failed")
        await story.engine._tick()
        assert story.engine.last["chat-v2"].decision.text == (
            "before_step hook http://gate/two answered 409: closed for s3cret; next: serinus retry chat-v2, or abort"
        )
        await story.engine.command("chat-v2", Retry(T0_MS, "ada", ""))
        await until(story, lambda: story.phases() == {Publishing})
        texts = " ".join(record.text for record in await story.engine.records("chat-v2"))
        assert "Bearer" not in texts

    played(gate, tell)
    assert gate.asked == ["start", "one", "two", "one", "two"]
    first, second = (call.headers["idempotency-key"] for call in gate.calls if call.url.endswith("two"))
    assert (first[-3:], second[-3:]) == ("1/1", "2/1")


def test_after_a_kill_in_the_middle_the_same_call_is_made_again_under_the_same_key() -> None:
    store, before, after = MemoryStore(), Gate(), Gate()
    before.hangs = True

    async def killed(story: Story) -> None:
        await begin(story)
        await until(story, lambda: bool(before.calls))
        kept = store.latest()[0].state
        assert json.loads(kept)["phase"]["hooks"]["outcome"] == "running", "written before the call"

    async def started_again(story: Story) -> None:
        await story.all_is_well()
        await until(story, lambda: story.phases() == {Publishing})

    played(before, killed, store=store)
    store.prune_batches(T0_MS + 1)  # the sidecar's first report is none that could be read again
    played(after, started_again, store=store)
    assert before.calls[0].headers["idempotency-key"] == after.calls[0].headers["idempotency-key"]
    assert before.calls[0].body == after.calls[0].body


def test_an_abort_waits_for_nothing_gives_the_run_up_and_calls_what_comes_after() -> None:
    gate = Gate()
    gate.hangs = True

    async def tell(story: Story) -> None:
        await begin(story)
        await until(story, lambda: bool(gate.calls))
        gate.hangs = False
        await story.engine.command("chat-v2", Abort(T0_MS, "ada", "no"))
        assert story.phases() == {Aborted}
        await until(story, lambda: outcome(story.engine) == "passed")

    played(gate, tell)
    assert gate.asked == ["start", "back"]
    assert json.loads(gate.calls[1].body)["reason"].startswith("aborted by ada: no")


@pytest.mark.parametrize("text", [b"", b"two\nlines", b"\xff"])
def test_a_secret_that_is_none_calls_nobody_and_says_so(text: bytes) -> None:
    class Bad:
        def read(self, names: Collection[str], /) -> Reading:
            return Reading(dict.fromkeys(names, text))

    async def tell(story: Story) -> None:
        engine = story.engine
        engine._hooks = HookRunner(gate, Bad(), now_ms=engine.now_ms, ended=engine.command, wait_s=lambda _: 0.0)
        await begin(story)
        await until(story, lambda: outcome(engine) == "failed")
        assert "secret file gate holds no text for a header" in str(engine.world.rollout("chat-v2").phase)
        assert story.phases() == {Preparing}

    gate = Gate()
    played(gate, tell)
    assert gate.calls == []


def test_what_came_of_a_run_is_told_until_the_journal_has_it() -> None:
    told: list[HooksEnded] = []
    enough = asyncio.Event()

    async def ended(_: str, event: HooksEnded) -> None:
        told.append(event)
        if len(told) < 3:
            raise StoreError("disk full")
        enough.set()

    async def tell(story: Story) -> None:
        await begin(story)
        await story.engine._tick()
        runner = HookRunner(gate, Secrets(), now_ms=lambda: T0_MS, ended=ended, wait_s=lambda _: 0.0)
        runner.follow(story.engine.world)
        async with asyncio.timeout(20):
            await enough.wait()
        runner.follow(World())
        runner.close()

    gate = Gate()
    played(gate, tell)
    assert len({event.key for event in told}) == 1
