"""More than the sidecar can do: it answers everything, sheds what it cannot tag in time, and tags again afterwards."""

import asyncio
import shutil
import statistics
from pathlib import Path

import pytest

from serinus.contract.policy import ServicePolicy
from serinus.contract.request import StickyKind, StickySource
from tests.e2e.flood import AT_ONCE, SHED, TAGGED, FloodConnection, flood
from tests.e2e.sidecar_process import SidecarProcess, keep_policy, short_directory
from tests.ports import free_port
from tests.unit.extproc.controlplane import RecordingControlPlane
from tests.unit.extproc.messages import request_headers

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

POLICY = ServicePolicy("chat", "r1", "v1", (StickySource(StickyKind.HEADER, "x-user-id"),), (), False)
MESSAGE = request_headers(x_user_id="u1")
CONNECTIONS, BURSTS = 16, 3
# A quiet connection's write buffer (1 MiB) and a read (256 KiB), for each of them, and what Python keeps of it.
MEMORY_BYTES_MAX = 64 * 1024 * 1024


async def _one_at_a_time(path: Path) -> tuple[int, float]:
    """How many of a hundred requests are tagged, and the median of their milliseconds."""
    connection, times_ms = FloodConnection(path, MESSAGE), []
    for _ in range(100):
        connection.slowest_s = 0.0
        await asyncio.to_thread(connection.burst, 1)
        times_ms.append(connection.slowest_s * 1000)
    connection.close()
    return connection.answers[TAGGED], statistics.median(times_ms)


def test_a_flood_is_answered_to_the_last_request_in_bounded_memory_and_tagging_resumes() -> None:
    async def story() -> None:
        directory = short_directory()
        keep_policy(directory, [POLICY])
        plane = RecordingControlPlane()
        await plane.start()
        flags = ("--transport", "own", "--controlplane", f"127.0.0.1:{plane.port}")
        sidecar = SidecarProcess(directory, directory / "e.sock", free_port(), *flags)
        try:
            await sidecar.start()
            tagged, quiet_ms = await _one_at_a_time(sidecar.socket)
            assert tagged == 100
            before = sidecar.rss_peak_bytes()
            answers, slowest_s = await asyncio.to_thread(
                flood, sidecar.socket, MESSAGE, connections=CONNECTIONS, bursts=BURSTS
            )
            grown = sidecar.rss_peak_bytes() - before
            assert answers.total() == CONNECTIONS * BURSTS * AT_ONCE
            assert answers[SHED] == await sidecar.metric("serinus_extproc_requests_total", result="shed") > 0
            assert grown < MEMORY_BYTES_MAX
            tagged, after_ms = await _one_at_a_time(sidecar.socket)
            assert tagged == 100
            print(
                f"flood: {answers[TAGGED]} tagged, {answers[SHED]} shed, the slowest {AT_ONCE} of {CONNECTIONS * AT_ONCE}"
                f" at once took {slowest_s * 1000:.0f} ms; memory +{grown / 1e6:.1f} MB; one at a time "
                f"{quiet_ms:.2f} ms before, {after_ms:.2f} ms after"
            )
            await sidecar.stop()
            assert plane.batches[-1].shed_total == answers[SHED]
        finally:
            await sidecar.stop()
            await plane.stop()
            shutil.rmtree(directory)

    asyncio.run(asyncio.wait_for(story(), 150))
