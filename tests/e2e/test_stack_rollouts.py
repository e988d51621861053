"""What users notice of a rollout on the real three processes: a weight that grows, a rollback, a killed control plane.

One stack for all; each story has a service of its own on it.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from tests.e2e.harness import Site, rollout_text, service_text, wait_for
from tests.e2e.load import Reply, versions_by_user
from tests.e2e.upstream import ModelUpstream

pytestmark = [pytest.mark.e2e]

USERS = [f"user-{n}" for n in range(600)]
# The second is dealt as everyone is: a slice, and nothing else.
STAFF = """[{name: staff, match: {header: {name: x-team, exact: ml}}, pin: candidate},
    {name: low, match: {header: {name: x-user-id, regex: "user-.*[0-4]"}}, weight_factor: 1}]"""
SLICES = """[{by: third, values: [{name: first, match: {header: {name: x-user-id, regex: "user-.*[036]"}}}]}]"""
RATE = 100.0  # requests a second: a fifth of a core for client and model servers, both in this process
# Configuration that Envoy took in: routes reloaded, clusters changed or removed, listeners changed.
TAKEN_IN = (
    "http.serinus.rds.services.config_reload",
    "cluster_manager.cluster_modified",
    "cluster_manager.cluster_removed",
    "listener_manager.listener_modified",
    "listener_manager.listener_removed",
)


def services(versions: Mapping[str, str]) -> list[str]:
    return [
        service_text("steady", versions, host="steady.test"),
        service_text("grow", versions, host="grow.test"),
        service_text("back", versions, host="back.test", cohorts=STAFF, slices=SLICES),
    ]


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state_dir: Path = tmp_path_factory.mktemp("site")
    each = runner.run(Site.start(state_dir, services))
    yield each
    runner.run(each.stop())
    assert set(each.v1.ids) & set(each.v2.ids) == set(), "a request was tried on both arms"


def run(runner: asyncio.Runner, story: Coroutine[Any, Any, None]) -> None:
    """A story is bounded below pytest's own timeout, so that its stack is stopped in order."""
    runner.run(asyncio.wait_for(story, 150))


def test_a_killed_control_plane_comes_back_at_the_same_step_and_pushes_nothing(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        async with site.client.load(USERS, rate=RATE, host="steady.test") as load:
            await site.admin.apply(rollout_text("steady-v2", "steady"))
            before = await site.admin.until_observing("steady-v2", weight_bp=2500)
            (proxy,) = await site.admin.proxies()
            began_s, routes = time.monotonic(), proxy.accepted_routes
            held = [await site.envoy_stat(name) for name in TAKEN_IN]
            await kill_control_plane(site)
            after = await site.admin.until_observing("steady-v2", weight_bp=2500)
            await wait_for(lambda: accepted(site, routes), timeout_s=20, what="Envoy is back with the same routes")
            await asyncio.sleep(1.0)
        assert load.failed == []
        moved = {user for user, seen in versions_by_user(load.between(began_s)).items() if len(set(seen)) > 1}
        assert moved == set()
        assert (after.step_index, after.started_at_ms) == (before.step_index, before.started_at_ms)
        assert after.revision >= before.revision
        assert [await site.envoy_stat(name) for name in TAKEN_IN] == held
        await site.admin.abort("steady-v2")

    run(runner, story())


async def kill_control_plane(site: Site) -> None:
    dead = site.stack.pid("controlplane")
    os.kill(dead, signal.SIGKILL)
    await wait_for(
        lambda: site.stack.is_running("controlplane") and site.stack.pid("controlplane") != dead,
        timeout_s=30,
        what="the next control plane",
    )


async def accepted(site: Site, routes: str) -> bool:
    proxies = await site.admin.proxies()
    return [(each.connected, each.accepted_routes, each.published_routes) for each in proxies] == [
        (True, routes, routes)
    ]


def test_nobody_moves_back_while_the_weight_grows_to_a_promotion(runner: asyncio.Runner, site: Site) -> None:
    async def story() -> None:
        windows: dict[int, tuple[float, float]] = {}
        plan = rollout_text("grow-v2", "grow", steps=("5%", "50%", "100%"), min_step="1s")
        async with site.client.load(USERS, rate=RATE, host="grow.test") as load:
            await site.admin.apply(plan)
            while (view := await site.admin.rollout("grow-v2")).phase != "promoted":
                assert not view.terminal, view.message
                if view.phase == "observing":
                    began_s, _ = windows.get(view.weight_bp, (time.monotonic(), 0.0))
                    windows[view.weight_bp] = (began_s, time.monotonic())
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
            promoted_s = time.monotonic()
            await asyncio.sleep(1.0)
        assert load.failed == []
        assert {user: seen for user, seen in versions_by_user(load.replies).items() if seen != sorted(seen)} == {}
        assert {reply.version for reply in load.between(promoted_s)} == {"v2"}
        assert sorted(windows) == [500, 5000, 10_000]
        for weight_bp, (began_s, ended_s) in windows.items():
            assert_plausible(load.between(began_s, ended_s), weight_bp)

    run(runner, story())


def assert_plausible(replies: Sequence[Reply], weight_bp: int) -> None:
    """The candidate's share of distinct users under a weight, by the exact binomial test."""
    users = {reply.user: reply.version for reply in replies}
    on_candidate = sum(version == "v2" for version in users.values())
    p_value = binomtest(on_candidate, len(users), weight_bp / 10_000).pvalue
    print(f"{weight_bp} bp: {on_candidate} of {len(users)} users on the candidate, p = {p_value:.2g}")
    assert p_value > 1e-6


def test_on_a_rollback_new_requests_leave_at_once_and_streams_in_flight_finish(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        v2 = site.v2
        async with site.client.load(USERS, rate=RATE, host="back.test") as load:
            await site.admin.apply(rollout_text("back-v2", "back"))
            await site.admin.until_observing("back-v2", weight_bp=2500)
            streams = await open_streams(site, v2)
            v2.failure_share, v2.reset_share = 0.5, 0.5
            view = await wait_for(lambda: ended(site, "back-v2"), timeout_s=60, what="a rollback")
            assert view is not None
            assert view.phase == "rolled_back", view.message
            assert_sliced(view, (await site.admin.explain("back-v2")).sentences)
            ended_s, seen = time.monotonic(), v2.requests
            await asyncio.sleep(1.0)
            staff = await site.client.ask("user-1", host="back.test", headers={"x-team": "ml"})
            assert v2.requests == seen
            assert v2.open_streams == len(streams)
        assert (staff.status, staff.version) == (200, "v1")
        assert {reply.version for reply in load.between(ended_s)} == {"v1"}
        assert {reply.version for reply in load.failed} == {"v2"}, "only what the candidate answered has failed"
        finish(v2)
        for reply in await asyncio.gather(*streams):
            assert (reply.status, reply.version, reply.is_done) == (200, "v2", True)
        print(rollback_text(view, [reply.started_s for reply in load.replies if reply.version == "v2"]))

    run(runner, story())


async def open_streams(site: Site, v2: ModelUpstream) -> "list[asyncio.Task[Reply]]":
    """Eight streams of users of the candidate, each with its first chunks on the way; they go on until told."""
    candidates = [u for u, reply in (await site.client.sweep(USERS, host="back.test")).items() if reply.version == "v2"]
    v2.hold, v2.chunk_gap_ms = asyncio.Event(), 100.0
    asks = [site.client.ask(user, host="back.test", stream=True) for user in candidates[:8]]
    streams = [asyncio.create_task(ask) for ask in asks]
    await wait_for(lambda: v2.open_streams == len(streams), timeout_s=10, what="eight open streams")
    return streams


def assert_sliced(view: Any, sentences: Sequence[str]) -> None:
    """Both slices have users of both versions, and only the candidate's fail."""
    slices = {(each.dimension, each.value): each for each in view.slices if each.metric == "errors"}
    assert sorted(slices) == [("cohort", "everyone"), ("cohort", "low"), ("third", "first"), ("third", "other")]
    for each in slices.values():
        assert min(each.baseline_requests, each.candidate_requests) > each.baseline_bad == 0, each
    requests, failures = Counter[str](), Counter[str]()
    for (dimension, _), each in slices.items():
        requests[dimension] += each.baseline_requests + each.candidate_requests
        failures[dimension] += each.candidate_bad
    assert requests["cohort"] == requests["third"], "each dimension counts every request once"
    assert failures["cohort"] == failures["third"] > 0
    assert any(each.startswith("Slices by ") and "never decisive" in each for each in sentences)


async def ended(site: Site, name: str) -> Any:
    view = await site.admin.rollout(name)
    return view if view.terminal else None


def finish(v2: ModelUpstream) -> None:
    """Let its streams end, and be well again."""
    assert v2.hold is not None
    v2.hold.set()
    v2.failure_share = v2.reset_share = 0.0


def rollback_text(view: Any, starts_s: Sequence[float]) -> str:
    """How long after the decision the last request went to the candidate."""
    decided = [event.at_ms for event in view.events if event.action == "rollback"]
    last_ms = (max(starts_s) + time.time() - time.monotonic()) * 1000
    return f"rolled back: the last request to the candidate started {last_ms - min(decided):.0f} ms after the decision"
