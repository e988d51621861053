"""Guardrails of sizes on the real three processes: answers that are all 200 but slow, in one version or in both; and
streams of which only the tokens come slowly."""

import asyncio
import re
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any

import grpc
import pytest

from controlplane.evidence.histogram import EDGE_OBSERVATIONS_MIN
from serinus.v1 import admin_pb2
from tests.e2e.harness import Site, rollout_text, service_text, wait_for

pytestmark = pytest.mark.e2e

RATE = 100.0
USERS = ["any"]  # `sticky: request`: each request is drawn by itself
GUARDRAILS = "[{metric: errors}, {metric: latency, margin: 25%}]"
WELL_MS = 60.0
GAP_MS = 10.0
CROWD = [f"user-{number}" for number in range(300)]


def services(versions: Mapping[str, str]) -> list[str]:
    plain = [service_text(name, versions, host=f"{name}.test", sticky="request") for name in ("slow", "both")]
    observed = [
        service_text(name, versions, host=f"{name}.test", sticky="request", protocol="openai", observe_body=True)
        for name in ("paced", "mixed")
    ]
    return [*plain, *observed, service_text("auto", versions, host="auto.test")]


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    each = runner.run(Site.start(tmp_path_factory.mktemp("site"), services))
    each.v1.delay_ms = each.v2.delay_ms = WELL_MS
    # A service without a rollout, which has its traffic all the while.
    load = each.client.load(CROWD, rate=20.0, host="auto.test")
    runner.run(load.__aenter__())
    yield each
    runner.run(load.__aexit__(None, None, None))
    runner.run(each.stop())


def run(runner: asyncio.Runner, story: Coroutine[Any, Any, None]) -> None:
    runner.run(asyncio.wait_for(story, 160))


def latency_of(view: admin_pb2.RolloutView) -> admin_pb2.MetricView | None:
    return next((row for row in view.metrics if row.metric == "latency"), None)


async def until_judged(site: Site, rollout: str, more: int) -> None:
    """Until edges stand and so many further requests of the candidate were judged by them."""

    async def enough() -> bool:
        row = latency_of(await site.admin.rollout(rollout))
        return row is not None and row.candidate_requests >= more

    await wait_for(enough, timeout_s=40, what=f"{more} judged latencies of the candidate")


async def until_ended(site: Site, rollout: str) -> admin_pb2.RolloutView:
    async def ended() -> admin_pb2.RolloutView | None:
        view = await site.admin.rollout(rollout)
        return view if view.terminal else None

    view = await wait_for(ended, timeout_s=120, what="a rollback")
    assert view is not None
    return view


def test_a_slowdown_of_both_versions_moves_nothing(runner: asyncio.Runner, site: Site) -> None:
    async def story() -> None:
        async with site.client.load(USERS, rate=RATE, host="both.test") as load:
            await site.admin.apply(rollout_text("both-v2", "both", steps=("50%", "100%"), guardrails=GUARDRAILS))
            await until_judged(site, "both-v2", 50)
            site.v1.delay_ms = site.v2.delay_ms = 3 * WELL_MS
            await until_judged(site, "both-v2", 50 + 2 * EDGE_OBSERVATIONS_MIN)
            view = await site.admin.rollout("both-v2")
        site.v1.delay_ms = site.v2.delay_ms = WELL_MS
        assert load.failed == []
        assert (view.phase, view.weight_bp) == ("observing", 5_000), view.message
        row = latency_of(view)
        assert row is not None
        assert row.verdict != "worse"
        await site.admin.abort("both-v2")

    run(runner, story())


def test_a_candidate_that_answers_well_but_slowly_is_rolled_back_and_told_why(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        async with site.client.load(USERS, rate=RATE, host="slow.test") as load:
            site.v2.delay_ms = 1.5 * WELL_MS
            await site.admin.apply(rollout_text("slow-v2", "slow", steps=("50%", "100%"), guardrails=GUARDRAILS))
            view = await until_ended(site, "slow-v2")
        assert load.failed == []
        assert view.phase == "rolled_back"
        assert "latency: candidate" in view.message, view.message
        assert "bad means above" in view.message, view.message
        assert "worse" in view.message, view.message

    run(runner, story())


def test_tokens_that_come_slowly_are_found_by_their_pace(runner: asyncio.Runner, site: Site) -> None:
    """Each answer is well and as long as before."""

    async def story() -> None:
        site.v1.chunk_gap_ms, site.v2.chunk_gap_ms = GAP_MS, 3 * GAP_MS
        site.v1.delay_ms = site.v2.delay_ms = 0.0
        guardrails = "[{metric: errors}, {metric: tokens, margin: 50%}, {metric: time_per_output_token, margin: 25%}]"
        async with site.client.load(USERS, rate=RATE, host="paced.test", stream=True) as load:
            await site.admin.apply(rollout_text("paced-v2", "paced", steps=("50%", "100%"), guardrails=guardrails))
            view = await until_ended(site, "paced-v2")
        assert load.failed == []
        assert view.phase == "rolled_back"
        assert "tpot: candidate" in view.message, view.message
        tokens = next(row for row in view.metrics if row.metric == "tokens_out")
        assert tokens.candidate_requests > 0
        assert tokens.verdict != "worse"

    run(runner, story())


def test_streams_that_last_longer_are_found_beside_whole_answers_that_do_not(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        site.v1.chunk_gap_ms, site.v2.chunk_gap_ms = GAP_MS, 3 * GAP_MS
        site.v1.delay_ms = site.v2.delay_ms = WELL_MS
        forms = "{metric: latency, of: streams, margin: 25%}, {metric: latency, of: whole, margin: 25%}"
        # Of each form the judge cuts after 200 answers of the baseline, and a second of streams decides then: whole
        # answers must have come that far before, or nothing is known of them.
        async with (
            site.client.load(USERS, rate=RATE / 3, host="mixed.test", stream=True) as streams,
            site.client.load(USERS, rate=2 * RATE / 3, host="mixed.test", stream=False) as whole,
        ):
            text = rollout_text("mixed-v2", "mixed", steps=("50%", "100%"), guardrails=f"[{{metric: errors}}, {forms}]")
            await site.admin.apply(text)
            view = await until_ended(site, "mixed-v2")
        assert streams.failed == whole.failed == []
        assert view.phase == "rolled_back"
        assert "latency:streams: candidate" in view.message, view.message
        row = next(row for row in view.metrics if row.metric == "latency:whole")
        assert row.candidate_requests > 0
        assert row.verdict != "worse"

    run(runner, story())


def test_steps_come_from_the_traffic_that_there_was_without_a_rollout(runner: asyncio.Runner, site: Site) -> None:
    async def story() -> None:
        async def applied() -> str:
            text = rollout_text("auto-v2", "auto").replace("[25%, 100%]", "auto")
            try:
                (done,) = (await site.admin.applied(text)).objects
            except grpc.aio.AioRpcError as error:
                if "`auto` comes from the traffic" in (error.details() or ""):
                    return ""
                raise
            return str(done.note)

        note = await wait_for(applied, timeout_s=60, poll_s=1.0, what="enough traffic was seen")
        view = await site.admin.rollout("auto-v2")
        await site.admin.abort("auto-v2")
        found = re.fullmatch(
            r"steps \[(.+)\], from (\S+) requests/s, .*, about (\d+) users a day .*", note.splitlines()[0]
        )
        assert found, note
        assert [f"{step / 100:g}%" for step in view.steps_bp] == found[1].split(", ")
        assert 10 <= float(found[2]) <= 30
        assert 200 <= int(found[3]) <= 400

    run(runner, story())
