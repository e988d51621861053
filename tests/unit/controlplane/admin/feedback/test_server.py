"""The call `Feedback`: what it answers, that it is stored before, and that a restarted process has it."""

import asyncio
import itertools

import pytest

from controlplane.admin.feedback.server import Teller
from controlplane.engine.feedback import OPERATORS
from controlplane.engine.runner import Engine
from controlplane.feedback.errors import BadFeedbackError, ForgedRequestError
from controlplane.ingest.feedback.wire import feedback_batch
from controlplane.ingest.rows import Batch, Hello
from controlplane.snapshot.model import Gateway
from controlplane.store.memory import MemoryStore
from controlplane.store.port import INSTALLATION
from controlplane.telemetry.exporter import Exporter
from serinus.contract.feedback import Said, Stamper
from serinus.v1 import admin_pb2
from tests.unit.controlplane.engine.fleet import PlayedFleet
from tests.unit.controlplane.engine.test_feedback import FED, SCORED
from tests.unit.controlplane.engine.test_runner import T0_MS, ManualClock


def engine_on(store: MemoryStore) -> Engine:
    return Engine(
        store=store,
        ads=PlayedFleet(),  # type: ignore[arg-type]
        clock=ManualClock(),
        gateway=Gateway(),
        exporter=Exporter(),
    )


def an_id(engine: Engine, version: str = "v1") -> str:
    stamp = Stamper(engine.feedback.key, "chat", "everyone", itertools.count(1)).stamp(T0_MS // 1000, 5)
    return f"{stamp.decode()}.{engine.publisher.route_snapshot('chat')}.{version}"


def test_feedback_is_stored_counted_and_there_after_a_restart() -> None:
    async def story() -> None:
        store = MemoryStore()
        engine = engine_on(store)
        await engine.start()
        await engine.apply([("a.yaml", f"{FED}---\n{SCORED}")], dry_run=False, actor="ada")
        request = admin_pb2.FeedbackRequest(request_id=an_id(engine), score=0.5)
        answer = await Teller(engine).tell(request)
        assert (answer.service, answer.version, answer.rollout) == ("chat", "v1", "chat-v2")
        assert answer.text.endswith("evidence of rollout chat-v2, if one of its guardrails asks for it")
        (batch,) = store.batches(0)
        assert batch.sidecar == OPERATORS
        again = engine_on(store)
        await again.start()
        assert again.feedback.key == engine.feedback.key
        assert again.feedback.counts == engine.feedback.counts
        assert dict(engine.feedback.counts) == {("chat", "v1", "score", "evidence"): 1}
        for one in (engine, again):
            await one.close()

    asyncio.run(story())


def test_what_is_refused_is_not_stored() -> None:
    async def story() -> None:
        store = MemoryStore()
        engine = engine_on(store)
        await engine.start()
        await engine.apply([("a.yaml", FED)], dry_run=False, actor="ada")
        teller = Teller(engine)
        with pytest.raises(BadFeedbackError):
            await teller.tell(admin_pb2.FeedbackRequest(request_id=an_id(engine)))
        with pytest.raises(ForgedRequestError):
            await teller.tell(admin_pb2.FeedbackRequest(request_id=an_id(engine, "v9"), score=1.0))
        answer = await teller.tell(admin_pb2.FeedbackRequest(request_id=an_id(engine), score=1.0))
        assert answer.text.endswith("no rollout runs that it could be evidence of")
        assert len(list(store.batches(0))) == 1
        await engine.close()

    asyncio.run(story())


def test_the_key_is_made_once_by_who_may_write_and_shown_by_no_call() -> None:
    async def story() -> None:
        store = MemoryStore()
        follower = engine_on(store)
        await follower.start(decides=False)
        assert (follower.feedback.key, store.records(INSTALLATION)) == (b"", [])
        await follower.start()
        (record,) = store.records(INSTALLATION)
        assert record.state == follower.feedback.key.hex()
        assert record.state not in record.text
        await follower.close()

    asyncio.run(story())


def test_a_batch_of_a_sidecar_that_comes_twice_counts_once() -> None:
    async def story() -> None:
        engine = engine_on(MemoryStore())
        await engine.start()
        await engine.apply([("a.yaml", FED)], dry_run=False, actor="ada")
        engine.feedback.follow(engine.world, T0_MS // 1000)
        told, _ = engine.feedback.read(an_id(engine), Said(score=1.0), T0_MS // 1000)
        hello = Hello("edge-1", 1, "default")
        await engine.hello(hello)
        batch = Batch(1, T0_MS // 1000, (), None, 0, feedback=(told,))
        for _ in range(2):
            await engine.batch(hello, batch, feedback_batch(1, (told,)))
        assert dict(engine.feedback.counts) == {("chat", "v1", "score", "no_evidence"): 1}
        await engine.close()

    asyncio.run(story())
