"""Two workers beside one Envoy: both tag, one may die or hang, and Envoy's counters are told once."""

import asyncio
import json
import os
import signal
import statistics
import time
from collections import Counter
from itertools import pairwise

import pytest

from tests.e2e.failure_world import UNTAGGED, FailureWorld, failure_world
from tests.e2e.sidecar_process import SidecarProcess

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

RATE = 200.0
HEALTHY = "cluster.sidecar.membership_healthy"


async def _tagged(sidecar: SidecarProcess) -> list[float]:
    name = "serinus_extproc_requests_total"
    return [await sidecar.metric(name, port=sidecar.http_port + worker, result="tagged") for worker in (0, 1)]


def _worker_pid(sidecar: SidecarProcess, worker: int) -> int:
    """Of the one that was started last."""
    lines = [json.loads(line) for line in sidecar.log().splitlines() if line.startswith("{")]
    return int([line["pid"] for line in lines if line["event"] == "worker started" and line["worker"] == worker][-1])


def _counters_of(site: FailureWorld) -> list[int]:
    """Envoy's count of written log entries as the control plane is told it, from whichever worker."""
    return [batch.proxy.logs_written_total for batch in site.plane.batches if batch.HasField("proxy")]


def test_both_tag_one_is_killed_and_the_other_goes_on_with_a_ledger_that_is_right() -> None:
    async def story() -> None:
        async with failure_world(workers=2) as site:
            sidecar = await site.start_sidecar()
            await site.world.until_stat(HEALTHY, 2)
            async with site.load(RATE) as heard:
                await asyncio.sleep(2.0)
                assert min(await _tagged(sidecar)) > 0
                killed = _worker_pid(sidecar, 1)
                os.kill(killed, signal.SIGKILL)
                await asyncio.sleep(3.0)
            sent = len(heard.answers)
            assert (heard.failures, heard.moved()) == ([], set())
            assert _worker_pid(sidecar, 1) != killed
            await site.until_logged(sent)  # the first has the logs: nothing is lost with the second
            assert {hello.sidecar for hello in site.plane.hellos} == {"test-1"}
            assert len({hello.epoch for hello in site.plane.hellos}) == 3
            told = _counters_of(site)
            assert all(before <= after for before, after in pairwise(told))
            elsewhere = Counter(batch.proxy_read_elsewhere for batch in site.plane.batches)
            assert elsewhere[True] > 0
            assert await site.reported() == sent
            print(f"two workers: {sent} requests, {await site.world.stat(UNTAGGED)} untagged around the kill of one")

    asyncio.run(asyncio.wait_for(story(), 150))


def test_a_worker_that_hangs_is_passed_by_and_costs_its_requests_the_timeout_at_most() -> None:
    async def story() -> None:
        async with failure_world(workers=2, is_patient=False) as site:
            sidecar = await site.start_sidecar()
            await site.world.until_stat(HEALTHY, 2)
            stopped = _worker_pid(sidecar, 1)
            async with site.load(RATE) as heard:
                await asyncio.sleep(1.0)
                before = len(heard.answers)
                os.kill(stopped, signal.SIGSTOP)
                began_s = time.monotonic()
                try:
                    await site.world.until_stat(HEALTHY, 1)
                    found_s = time.monotonic() - began_s
                finally:
                    os.kill(stopped, signal.SIGCONT)
                during = [ms for _, _, ms in heard.answers[before:]]
                await site.world.until_stat(HEALTHY, 2)
            assert (heard.failures, heard.moved()) == ([], set())
            usual = statistics.median(ms for _, _, ms in heard.answers[:before])
            untagged = await site.world.stat(UNTAGGED)
            assert untagged > 0
            assert statistics.median(during) < usual + 50
            print(
                f"one of two stopped: found after {found_s:.2f} s, {untagged} of {len(during)} requests untagged; median "
                f"{statistics.median(during):.1f} ms against {usual:.1f} ms"
            )

    asyncio.run(asyncio.wait_for(story(), 150))
