"""A control plane in a process of its own, for tests: `python -m tests.conformance.xds.control_plane`.

Prints its address and serves one snapshot to the group of the tests until its standard input ends.
"""

import asyncio
import sys

from tests.unit.controlplane.snapshot.test_resource import build_some
from tests.unit.controlplane.xds.ads_client import control


async def _serve() -> None:
    async with control() as running:
        running.publish(build_some())
        print(running.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
