"""A rollout of the real stack as a trace, and the metrics, through a real OpenTelemetry collector."""

import asyncio
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.e2e import rotel
from tests.e2e.harness import Site, rollout_text, service_text, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.demo, pytest.mark.timeout(120)]

USERS = [f"user-{n}" for n in range(100)]


async def watch_a_rollout(site: Site, received: rotel.Received) -> None:
    async with site.client.load(USERS, rate=20):
        await site.admin.apply(rollout_text("chat-v2", "chat"))
        await site.admin.until_observing("chat-v2", weight_bp=2500)
        await wait_for(lambda: "prepare" in received.names, timeout_s=30, what="what has ended is sent while it runs")
        assert "rollout chat-v2" not in received.names
        await site.admin.abort("chat-v2", "enough seen")
    await wait_for(lambda: "rollout chat-v2" in received.names, timeout_s=40, what="the whole is sent at its end")


def check_trace(received: rotel.Received) -> None:
    (root,) = [span for span in received.spans.values() if not span.parent_span_id]
    others = [span for span in received.spans.values() if span.parent_span_id]
    assert {span.trace_id for span in received.spans.values()} == {root.trace_id}
    assert {span.parent_span_id for span in others} == {root.span_id}
    assert {"prepare", "step 1: 25%"} <= received.names
    assert root.status.code == Status.STATUS_CODE_ERROR
    assert "enough seen" in root.status.message
    assert root.start_time_unix_nano <= min(span.start_time_unix_nano for span in others)
    assert root.end_time_unix_nano >= max(span.end_time_unix_nano for span in others)
    step = next(span for span in others if span.name == "step 1: 25%")
    assert {"prepared", "min_step"} & {event.name for event in step.events}
    assert step.end_time_unix_nano > step.start_time_unix_nano


def test_a_rollout_is_a_trace_and_metrics_arrive(
    runner: asyncio.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = rotel.binary()

    async def story() -> None:
        async with rotel.running(program, tmp_path) as (url, received):
            monkeypatch.setenv("SERINUS_OTLP", url)
            async with await Site.start(
                tmp_path, lambda versions: [service_text("chat", versions, host="chat.test")]
            ) as site:
                await watch_a_rollout(site, received)
                check_trace(received)
        assert received.services == {"serinus-controlplane"}
        assert {"serinus_sidecars", "serinus_store_write_seconds"} <= set(received.metrics)

    runner.run(asyncio.wait_for(story(), 100))
