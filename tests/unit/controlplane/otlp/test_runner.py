"""What the real engine did is sent once, by who leads, and again until it was taken."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from controlplane.otlp.client import OtlpClient, Outcome, Reply
from controlplane.otlp.runner import BEFORE_MS, OtlpRunner
from controlplane.otlp.wire import Origin
from controlplane.rollout.events import Abort
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record, StoreError
from tests.unit.controlplane.engine.test_runner import Story, rollout, service

BEGUN_MS = 1_700_000_000_000


class Collector(OtlpClient):
    """Takes what it is sent, while it may."""

    def __init__(self) -> None:
        super().__init__("http://nowhere.invalid", {})
        self.reply = Reply(Outcome.TAKEN)
        self.spans: list[str] = []
        self.ids: list[bytes] = []
        self.metrics: list[str] = []

    async def send(self, signal: str, body: bytes) -> Reply:
        if self.reply.outcome is not Outcome.TAKEN:
            return self.reply
        if signal == "traces":
            for each in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans:
                self.spans.append(each.name)
                self.ids.append(each.span_id)
        else:
            request = ExportMetricsServiceRequest.FromString(body)
            self.metrics += [each.name for each in request.resource_metrics[0].scope_metrics[0].metrics]
        return self.reply


class Sending:
    def __init__(self, store: MemoryStore | None = None, at_ms: int = BEGUN_MS) -> None:
        self.story, self.collector, self.leads = Story(store or MemoryStore()), Collector(), True
        self.story.clock.at_ms = at_ms
        self.runner = OtlpRunner(
            self.story.engine,
            self.collector,
            self.story.exporter,
            Origin("0.1.0", "one", at_ms),
            text=self.story.exporter.text,
            is_leading=lambda: self.leads,
        )

    async def aborted(self) -> None:
        await self.story.engine.command("chat-v2", Abort(self.story.clock.at_ms, "ada", "enough"))

    @property
    def counted(self) -> str:
        text = self.story.exporter.text().decode()
        return "\n".join(line for line in text.splitlines() if line.startswith("serinus_otlp_exports_total"))


def played(tell: Callable[[Sending], Awaitable[None]], store: MemoryStore | None = None) -> Sending:
    sending = Sending(store)

    async def whole() -> None:
        engine = sending.story.engine
        await engine.start()
        await engine.apply([("a", service("chat")), ("b", rollout("chat"))], dry_run=False, actor="ada")
        await tell(sending)
        await engine.close()

    asyncio.run(whole())
    return sending


def test_an_attempt_is_sent_once_it_has_ended_and_never_twice() -> None:
    async def tell(one: Sending) -> None:
        assert await one.runner.send_spans()
        assert one.collector.spans == [], "nothing has ended"
        await one.aborted()
        assert await one.runner.send_spans()
        assert await one.runner.send_spans()

    one = played(tell)
    assert one.collector.spans == ["prepare", "rollout chat-v2"]
    assert 'serinus_otlp_exports_total{outcome="taken",signal="traces"} 1.0' in one.counted


def test_a_receiver_that_is_away_gets_it_later_and_one_that_refuses_does_not() -> None:
    async def tell(one: Sending) -> None:
        await one.aborted()
        one.collector.reply = Reply(Outcome.AGAIN, "Connection refused")
        assert not await one.runner.send_spans()
        assert not await one.runner.send_spans()
        one.collector.reply = Reply(Outcome.TAKEN)
        assert await one.runner.send_spans()

    assert played(tell).collector.spans == ["prepare", "rollout chat-v2"]

    async def refused(one: Sending) -> None:
        await one.aborted()
        one.collector.reply = Reply(Outcome.REFUSED, "it answered 400")
        assert not await one.runner.send_spans()
        one.collector.reply = Reply(Outcome.TAKEN)
        assert await one.runner.send_spans()

    one = played(refused)
    assert one.collector.spans == []
    assert 'serinus_otlp_exports_total{outcome="refused",signal="traces"} 1.0' in one.counted


def test_who_does_not_lead_sends_its_metrics_alone() -> None:
    async def tell(one: Sending) -> None:
        await one.aborted()
        one.leads = False
        assert await one.runner.send_spans()
        assert await one.runner.send_metrics()

    one = played(tell)
    assert one.collector.spans == []
    assert "serinus_sidecars" in one.collector.metrics


def test_after_a_restart_what_has_just_ended_is_sent_under_the_same_ids_and_what_ended_before_is_not() -> None:
    store, first = MemoryStore(), []

    async def tell(one: Sending) -> None:
        await one.aborted()
        await one.runner.send_spans()
        first.extend(one.collector.ids)

    async def again(at_ms: int) -> list[bytes]:
        one = Sending(store, at_ms)
        await one.story.engine.start()
        await one.runner.send_spans()
        return one.collector.ids

    played(tell, store)
    assert first
    assert asyncio.run(again(BEGUN_MS + BEFORE_MS)) == first
    assert asyncio.run(again(BEGUN_MS + BEFORE_MS + 1)) == []


def test_a_journal_that_cannot_be_read_keeps_no_other_waiting() -> None:
    class Torn(MemoryStore):
        def records(self, rollout: str, last: int | None = None) -> list[Record]:
            if rollout == "talk-v2" and last is not None:
                raise StoreError("the journal is torn")
            return super().records(rollout, last)

    async def tell(one: Sending) -> None:
        await one.story.apply(service("talk"), rollout("talk"))
        await one.aborted()
        assert not await one.runner.send_spans()

    assert played(tell, Torn()).collector.spans == ["prepare", "rollout chat-v2"]


def test_what_a_receiver_rejects_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def tell(one: Sending) -> None:
        await one.aborted()
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 2
        answer.partial_success.error_message = "too old"
        one.collector.reply = Reply(Outcome.TAKEN, body=answer.SerializeToString())
        assert await one.runner.send_spans()

    with caplog.at_level(logging.WARNING, "serinus.otlp"):
        played(tell)
    assert "2 spans were refused over OTLP: too old" in caplog.text


def test_it_goes_on_after_a_fault_until_it_is_cancelled() -> None:
    async def tell(one: Sending) -> None:
        asked, enough = [0], asyncio.Event()

        def text() -> bytes:
            asked[0] += 1
            if asked[0] == 3:
                enough.set()
            raise RuntimeError("no exposition")

        runner = OtlpRunner(
            one.story.engine,
            one.collector,
            one.story.exporter,
            Origin("0.1.0", "one", BEGUN_MS),
            text=text,
            is_leading=lambda: True,
            every_s=0.001,
            metrics_every_s=0.001,
        )
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(20):
            await enough.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    played(tell)
