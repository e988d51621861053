"""What users notice of the sidecar: nothing. Restarted, killed, stopped or lied to, on the real three processes.

One stack for all; three services on it, each with a rollout that stays at 25 %:
`chat.test` plain sticky header · `derived.test` a key that only the sidecar can read · `pinned.test` with a pinned cohort.
"""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Site, rollout_text, service_text, wait_for
from tests.e2e.load import Load, Reply, median_ms, versions_by_user

pytestmark = pytest.mark.e2e

USERS = [f"user-{n}" for n in range(400)]
SPOOFERS = USERS[:20]
STAFF = "[{name: staff, match: {header: {name: x-team, exact: ml}}, pin: candidate}]"
SPOOFS: dict[str, list[tuple[str, str]]] = {
    "bucket": [("x-serinus-bucket", "0")],
    "version": [("x-serinus-version", "v2")],
    "cohort": [("x-serinus-cohort", "staff")],
    "pin": [("x-serinus-pin", "v2")],
    "key": [("x-serinus-key", "a:b")],
    "mixed case, twice": [("X-Serinus-Bucket", "0"), ("x-SERINUS-bucket", "1"), ("X-Serinus-Pin", "v2")],
    "named in Connection": [("x-serinus-pin", "v2"), ("connection", "keep-alive, x-serinus-pin")],
    "all": [(f"x-serinus-{name}", value) for name, value in [("bucket", "0"), ("pin", "v2"), ("cohort", "staff")]],
}
RATE = 100.0


def services(versions: Mapping[str, str]) -> list[str]:
    return [
        service_text("chat", versions, host="chat.test") + rollout_text("chat-v2", "chat"),
        service_text("derived", versions, host="derived.test", sticky="[{cookie: uid}, {header: x-user-id}]")
        + rollout_text("derived-v2", "derived"),
        service_text("pinned", versions, host="pinned.test", cohorts=STAFF) + rollout_text("pinned-v2", "pinned"),
    ]


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state_dir: Path = tmp_path_factory.mktemp("site")

    async def start() -> Site:
        each = await Site.start(state_dir, services)
        for name in ("chat", "derived", "pinned"):
            async with each.client.load(USERS, rate=40, host=f"{name}.test"):
                await each.admin.until_observing(f"{name}-v2", weight_bp=2500)
        return each

    each = runner.run(start())
    yield each
    runner.run(each.stop())


def run(runner: asyncio.Runner, story: Coroutine[Any, Any, None]) -> None:
    """A story is bounded below pytest's own timeout, so that its stack is stopped in order."""
    runner.run(asyncio.wait_for(story, 90))


def versions(replies: Mapping[str, Reply]) -> dict[str, str]:
    assert [reply for reply in replies.values() if not reply.is_ok] == []
    return {user: reply.version for user, reply in replies.items()}


def assert_sticky(load: Load) -> None:
    """No request failed, and no user met two versions."""
    assert load.failed == []
    assert {user: seen for user, seen in versions_by_user(load.replies).items() if len(set(seen)) > 1} == {}


async def counters(site: Site) -> tuple[float, float]:
    """(untagged, lost), once both have settled: a lost entry is told from a late one after 2.5 s."""
    while True:
        before = await site.sidecar_metrics()
        await asyncio.sleep(3.5)
        after = await site.sidecar_metrics()
        names = ("serinus_untagged_requests_total", "serinus_lost_log_entries_total")
        untagged, lost = (after.get(name, 0.0) for name in names)
        if (untagged, lost) == tuple(before.get(name, 0.0) for name in names):
            return untagged, lost


def test_a_planned_restart_under_load_loses_no_request_no_tag_and_no_log_entry(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        before = await counters(site)
        async with site.client.load(USERS, rate=150) as load:
            for _ in range(3):
                await asyncio.sleep(1.0)
                await site.stack.hand_over_sidecar()
            await asyncio.sleep(1.0)
        assert_sticky(load)
        assert await counters(site) == before

    run(runner, story())


@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_lying_client_lands_where_it_would_without_lying(runner: asyncio.Runner, site: Site, spoof: str) -> None:
    async def story() -> None:
        lie = SPOOFS[spoof]
        for host in ("chat.test", "derived.test", "pinned.test"):
            honest = versions(await site.client.sweep(SPOOFERS, host=host))
            assert set(honest.values()) == {"v1", "v2"}
            assert versions(await site.client.sweep(SPOOFERS, host=host, headers=lie)) == honest
        team = ("x-team", "ml")
        staff = versions(await site.client.sweep(SPOOFERS, host="pinned.test", headers=[team, *lie]))
        assert set(staff.values()) == {"v2"}
        assert site.v1.owned_headers | site.v2.owned_headers == set()

    run(runner, story())


def test_with_the_sidecar_killed_a_liar_gets_its_own_version_or_the_baseline(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        own = versions(await site.client.sweep(SPOOFERS))
        own_pinned = versions(await site.client.sweep(SPOOFERS, host="pinned.test"))
        baseline = dict.fromkeys(SPOOFERS, "v1")
        async with site.sidecar_dead():
            for lie in SPOOFS.values():
                assert versions(await site.client.sweep(SPOOFERS, headers=lie)) == own
                assert versions(await site.client.sweep(SPOOFERS, host="derived.test", headers=lie)) == baseline
                assert versions(await site.client.sweep(SPOOFERS, host="pinned.test", headers=lie)) == own_pinned
                staff = [("x-team", "ml"), *lie]
                assert versions(await site.client.sweep(SPOOFERS, host="pinned.test", headers=staff)) == baseline
        assert site.v1.owned_headers | site.v2.owned_headers == set()
        await site.until_tagging()

    run(runner, story())


def test_a_killed_sidecar_fails_no_request_moves_no_user_and_holds_the_rollout(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        untagged, lost = await counters(site)
        async with site.client.load(USERS, rate=RATE) as load:
            await asyncio.sleep(1.0)
            os.kill(site.stack.pid("extproc"), signal.SIGKILL)
            await held_for_its_data(site)
            await site.until_tagging()
            await asyncio.sleep(1.0)
        assert_sticky(load)
        untagged_after, lost_after = await counters(site)
        print(f"killed: {untagged_after - untagged:g} untagged, {lost_after - lost:g} log entries lost")
        assert untagged_after > untagged
        assert lost_after > lost

    run(runner, story())


def test_a_stopped_sidecar_slows_requests_by_its_timeout_at_most_and_moves_no_user(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        untagged, _ = await counters(site)
        async with site.client.load(USERS, rate=RATE) as load:
            await asyncio.sleep(2.0)
            pid, stopped_s = site.stack.pid("extproc"), time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(4.0)
            os.kill(pid, signal.SIGCONT)
            continued_s = time.monotonic()
            await held_for_its_data(site)
            await site.until_tagging()
            await asyncio.sleep(1.0)
        assert_sticky(load)
        usual_ms = median_ms(load.between(0, stopped_s))
        stopped = load.between(stopped_s, continued_s)
        slowed = [reply.duration_ms - usual_ms for reply in stopped if reply.duration_ms - usual_ms > 25]
        print(
            f"stopped: median {median_ms(stopped):.1f} ms against {usual_ms:.1f} ms, {len(slowed)} of {len(stopped)} "
            f"slowed, the most by {max(slowed, default=0):.0f} ms"
        )
        assert median_ms(stopped) - usual_ms <= 50
        assert (await counters(site))[0] > untagged

    run(runner, story())


async def held_for_its_data(site: Site) -> None:
    async def said() -> bool:
        return "data quality" in (await site.admin.rollout("chat-v2")).message

    await wait_for(said, timeout_s=20, what="the rollout is held for the quality of its data")
