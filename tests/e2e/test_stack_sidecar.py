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

from extproc.proxystats.ledger import LAG_MS
from tests.e2e.harness import UNTAGGED, Site, rollout_text, service_text, wait_for
from tests.e2e.load import Load, Reply, median_ms, versions_by_user

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

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
LOST, UNTAGGED_TOTAL = "serinus_lost_log_entries_total", "serinus_untagged_requests_total"
LATE = "http.serinus.ext_proc.tag.message_timeouts"
RATE = 100.0  # requests a second: a fifth of a core for client and model servers, both in this process


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
        each.first = await each.client.sweep(USERS[:50])
        for name in ("chat", "derived", "pinned"):
            async with each.client.load(USERS, rate=40, host=f"{name}.test"):
                await each.admin.until_observing(f"{name}-v2", weight_bp=2500)
        return each

    each = runner.run(start())
    yield each
    runner.run(each.stop())


def run(runner: asyncio.Runner, story: Coroutine[Any, Any, None]) -> None:
    """A story is bounded below pytest's own timeout, so that its stack is stopped in order."""
    runner.run(asyncio.wait_for(story, 150))


async def landed(site: Site, *, tagged: bool = True, **how: Any) -> dict[str, str]:
    """The version that each of 20 users gets; `tagged` False: the sidecar is dead."""

    async def ask() -> dict[str, Reply]:
        return await site.client.sweep(SPOOFERS, **how)

    replies = await (site.all_tagged(ask) if tagged else ask())
    assert [reply for reply in replies.values() if not reply.is_ok] == []
    return {user: reply.version for user, reply in replies.items()}


def assert_sticky(load: Load) -> None:
    """No request failed, and no user met two versions."""
    assert load.failed == []
    assert {user: seen for user, seen in versions_by_user(load.replies).items() if len(set(seen)) > 1} == {}


async def settled_lost(site: Site) -> float:
    """Lost log entries, once what is late is told from what is lost: the ledger's lag, rounded up to whole polls at
    both ends, and a report."""
    while True:
        before = (await site.sidecar_metrics())[LOST]
        await asyncio.sleep(LAG_MS / 1000 + 3.0)
        if (after := (await site.sidecar_metrics())[LOST]) == before:
            return after


def test_the_first_requests_after_the_start_are_served(site: Site) -> None:
    assert len(site.first) == 50
    assert [reply for reply in site.first.values() if not reply.is_ok] == []


async def until_data_is_good(site: Site) -> None:
    """What earlier tests did has left the window of 30 s, so that a hold is of this test."""

    async def forgotten() -> bool:
        return "data quality" not in (await site.admin.rollout("chat-v2")).message

    await wait_for(forgotten, timeout_s=45, what="no rollout is held for the quality of its data")


async def held_for_its_data(site: Site) -> None:
    async def said() -> bool:
        return "data quality" in (await site.admin.rollout("chat-v2")).message

    await wait_for(said, timeout_s=20, what="the rollout is held for the quality of its data")


def test_a_killed_sidecar_fails_no_request_moves_no_user_and_holds_the_rollout(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        await until_data_is_good(site)
        lost, before = await settled_lost(site), await site.sidecar_metrics()
        async with site.client.load(USERS, rate=RATE) as load:
            await asyncio.sleep(1.0)
            os.kill(site.stack.pid("extproc"), signal.SIGKILL)
            await held_for_its_data(site)
            await site.until_tagging()
            await asyncio.sleep(0.5)

        async def counted() -> dict[str, float] | None:
            after = await site.sidecar_metrics()
            return after if after[UNTAGGED_TOTAL] > before[UNTAGGED_TOTAL] and after[LOST] > lost else None

        after = await wait_for(counted, timeout_s=15, what="untagged requests and lost entries are counted")
        assert after is not None
        print(f"killed: {after[UNTAGGED_TOTAL] - before[UNTAGGED_TOTAL]:g} untagged, {after[LOST] - lost:g} lost")
        assert_sticky(load)

    run(runner, story())


@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_lying_client_lands_where_it_would_without_lying(runner: asyncio.Runner, site: Site, spoof: str) -> None:
    async def story() -> None:
        lie = SPOOFS[spoof]
        for host in ("chat.test", "derived.test", "pinned.test"):
            honest = await landed(site, host=host)
            assert set(honest.values()) == {"v1", "v2"}
            assert await landed(site, host=host, headers=lie) == honest
        staff = await landed(site, host="pinned.test", headers=[("x-team", "ml"), *lie])
        assert set(staff.values()) == {"v2"}
        assert site.v1.owned_headers | site.v2.owned_headers == set()

    run(runner, story())


def test_a_planned_restart_under_load_loses_no_request_no_tag_and_no_log_entry(
    runner: asyncio.Runner, site: Site
) -> None:
    """A hand-over in which the machine itself was too slow for 50 ms or a health check says nothing: another is made."""

    async def story() -> None:
        lost, clean, tries = await settled_lost(site), 0, 0
        async with site.client.load(USERS, rate=RATE) as load:
            while clean < 2:
                tries += 1
                assert tries <= 10, "this machine is too busy all the time"
                slow, untagged = await slowness(site), await site.envoy_stat(UNTAGGED)
                await asyncio.sleep(0.5)
                await site.stack.hand_over_sidecar()
                await asyncio.sleep(0.5)
                untagged_after, slow_after = await site.envoy_stat(UNTAGGED), await slowness(site)
                if slow_after == slow:
                    assert untagged_after == untagged
                    clean += 1
        print(f"handed over: {tries} times under {len(load.replies)} requests, {clean} undisturbed")
        assert_sticky(load)
        assert await settled_lost(site) == lost

    run(runner, story())


async def slowness(site: Site) -> int:
    return await site.envoy_stat(LATE) + await site.envoy_stat("cluster.sidecar.health_check.failure")


def test_a_stopped_sidecar_slows_requests_by_its_timeout_at_most_and_moves_no_user(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        await until_data_is_good(site)
        untagged = await site.envoy_stat(UNTAGGED)
        async with site.client.load(USERS, rate=RATE) as load:
            await asyncio.sleep(2.0)
            pid, stopped_s = site.stack.pid("extproc"), time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(4.0)
            os.kill(pid, signal.SIGCONT)
            continued_s = time.monotonic()
            await held_for_its_data(site)
            await site.until_tagging()
        assert_sticky(load)
        usual_ms = median_ms(load.between(0, stopped_s))
        stopped = load.between(stopped_s, continued_s)
        slowed = [reply.duration_ms - usual_ms for reply in stopped if reply.duration_ms - usual_ms > 25]
        print(
            f"stopped: median {median_ms(stopped):.1f} ms against {usual_ms:.1f} ms, {len(slowed)} of {len(stopped)} "
            f"slowed, the most by {max(slowed, default=0):.0f} ms"
        )
        assert median_ms(stopped) - usual_ms <= 50
        assert await site.envoy_stat(UNTAGGED) > untagged

    run(runner, story())


def test_with_the_sidecar_killed_a_liar_gets_its_own_version_or_the_baseline(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        own, own_pinned = await landed(site), await landed(site, host="pinned.test")
        baseline = dict.fromkeys(SPOOFERS, "v1")
        async with site.sidecar_dead():
            for lie in SPOOFS.values():
                assert await landed(site, tagged=False, headers=lie) == own
                assert await landed(site, tagged=False, host="derived.test", headers=lie) == baseline
                assert await landed(site, tagged=False, host="pinned.test", headers=lie) == own_pinned
                staff = [("x-team", "ml"), *lie]
                assert await landed(site, tagged=False, host="pinned.test", headers=staff) == baseline
        assert site.v1.owned_headers | site.v2.owned_headers == set()

    run(runner, story())
