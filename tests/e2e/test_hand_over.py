"""A planned change of the sidecar's process loses nothing: no request failed, untagged or unlogged. A kill is a gap."""

import argparse
import asyncio
import signal
import sys
import time

import pytest

from tests.e2e.failure_world import ANSWERED, UNTAGGED, FailureWorld, failure_world
from tests.e2e.sidecar_process import ledger

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

RATE = 250.0
TIMES = 2
# Before and after each, so that a loss on either side of it is seen.
AROUND_S = 0.5


async def hand_over(site: FailureWorld) -> float:
    """A successor starts, the one before gets SIGTERM and ends with 0. The seconds from SIGTERM to its end."""
    old = site.processes[-1]
    await site.start_sidecar()
    began_s = time.monotonic()
    old.signal(signal.SIGTERM)
    assert await old.ended() == 0, old.log()
    return time.monotonic() - began_s


async def handed_over(transport: str, times: int, *, workers: int = 1) -> None:
    async with failure_world("--transport", transport, workers=workers) as site:
        await site.start_sidecar()
        await site.world.until_stat("cluster.sidecar.membership_healthy", workers)
        durations_s = []
        async with site.load(RATE) as heard:
            for _ in range(times):
                await asyncio.sleep(AROUND_S)
                durations_s.append(await hand_over(site))
            await asyncio.sleep(AROUND_S)
        sent = len(heard.answers)
        untagged, answered = await site.world.stat(UNTAGGED), await site.world.stat(ANSWERED)
        print(
            f"{transport}, {workers} worker(s): {times} hand-overs under {sent} requests at {RATE:g}/s; "
            f"{len(heard.failures)} failed, {untagged} untagged; the old one ended after {max(durations_s):.2f} s at most"
        )
        assert heard.failures == []
        assert heard.moved() == set()
        assert (untagged, answered) == (0, sent)
        await site.until_logged(sent)
        assert await site.reported() == sent


def test_a_hand_over_under_load_loses_no_request_no_tag_and_no_log_entry() -> None:
    asyncio.run(asyncio.wait_for(handed_over("own", TIMES), 150))


def test_two_workers_are_handed_over_as_one() -> None:
    asyncio.run(asyncio.wait_for(handed_over("own", 1, workers=2), 150))


def test_a_killed_sidecar_is_a_gap_that_is_counted() -> None:
    async def story() -> None:
        async with failure_world("--transport", "own", is_patient=False) as site:
            old = await site.start_sidecar()
            await site.world.until_tagging()
            async with site.load(RATE) as heard:
                await asyncio.sleep(1.5)
                # Written down each second; right after a report it may be nothing.
                deadline_s = time.monotonic() + 20
                while not ledger(old.run_dir).get("held"):
                    assert time.monotonic() < deadline_s, ledger(old.run_dir)
                    await asyncio.sleep(0.02)
                old.signal(signal.SIGKILL)
                await old.ended()
                new = await site.start_sidecar()
                await site.world.until_tagging()
                await asyncio.sleep(1.0)
            gap, untagged = await site.until_settled(), await site.world.stat(UNTAGGED)
            print(f"killed under {len(heard.answers)} requests: {gap} log entries lost, {untagged} requests untagged")
            assert heard.failures == []
            assert heard.moved() == set()
            assert untagged > 0
            assert gap > 0
            # No control plane is there: what the killed one had received died with it, told when it is silent for 5 s.
            deadline_s = time.monotonic() + 20
            while True:
                held, told = ledger(new.run_dir)["unreported"], await new.metric("serinus_lost_log_entries_total")
                if held and told == gap + held:
                    break
                assert time.monotonic() < deadline_s, (gap, held, told)
                await asyncio.sleep(0.2)
            assert held <= RATE * 3, "of the seconds before the kill, and no more"

    asyncio.run(asyncio.wait_for(story(), 150))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Hand-overs under load, as often as you like.")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--transport", default="own")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(handed_over(given.transport, given.times, workers=given.workers))
    sys.exit(0)
