"""Every sidecar's stream is cut for a time in the middle of a release: it holds, says why, and then goes on.

`python -m tests.e2e.outage --seconds 60`. Prints what it saw; exit code 1 if the weight moved, anything was rolled back, a
request failed, or the release did not end in a promotion.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.e2e.harness import rollout_text, service_text, wait_for
from tests.e2e.kill_world import KillWorld, compiled, kill_world

RATE = 60.0
USERS = [f"user-{n}" for n in range(300)]
STEPS_BP = (2_000, 6_000, 10_000)
NAME = "release"
# A sidecar counts as silent after 5 s, and a decision is made each second.
SILENT_S = 8.0
ENDS_S_MAX = 120.0


async def outage(world: KillWorld, seconds: float) -> list[str]:
    """What did not hold. Raises AssertionError when something does not come about in time."""
    faults, said = [], Counter[str]()
    async with world.client.load(USERS, rate=RATE) as load:
        await world.admin.apply(rollout_text(NAME, "chat", steps=("20%", "60%", "100%"), min_step="3s"))
        begun = await world.admin.until_observing(NAME, weight_bp=STEPS_BP[0])
        world.has_reports, cut_s = False, time.monotonic()
        while time.monotonic() < cut_s + seconds:
            await asyncio.sleep(0.5)
            view = await world.admin.rollout(NAME)
            if (view.weight_bp, view.terminal) != (begun.weight_bp, False):
                faults.append(f"{time.monotonic() - cut_s:.1f} s into the outage: {view.phase}: {view.message}")
                break
            if time.monotonic() > cut_s + SILENT_S:
                said[view.message] += 1
        world.has_reports, healed_s = True, time.monotonic()

        async def ended() -> bool:
            return (await world.admin.rollout(NAME)).terminal

        await wait_for(ended, timeout_s=ENDS_S_MAX, what="the release ends")
        view = await world.admin.rollout(NAME)
    print(f"cut for {healed_s - cut_s:.0f} s at {begun.weight_bp} bp; it said: {dict(said)}")
    print(
        f"{view.phase} {time.monotonic() - healed_s:.0f} s after; {len(load.replies)} requests, {len(load.failed)} failed"
    )
    if not said or any("no report from sidecar" not in message for message in said):
        faults.append(f"the hold does not name its reason: {dict(said)}")
    if view.phase != "promoted":
        faults.append(f"{view.phase}: {view.message}")
    faults += [f"a request failed: {reply.status} {reply.error}" for reply in load.failed[:5]]
    return faults


async def run(seconds: float) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="scut-") as home:
        compiled(Path(home))
        async with kill_world(Path(home), lambda addresses: service_text("chat", addresses, host="chat.test")) as world:
            return await outage(world, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description="An outage of every sidecar's stream holds a release, no more.")
    parser.add_argument("--seconds", type=float, default=60.0)
    faults = asyncio.run(run(parser.parse_args().seconds))
    print("\n".join(f"FAULT {fault}" for fault in faults) or "it held, and went on")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
