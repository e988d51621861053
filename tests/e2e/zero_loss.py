"""Releases under load through a real Envoy, again and again, with not one request lost.

One iteration, by the engine's own publisher (make before break, gated on what Envoy accepts): the candidate is added,
gets 1 %, 50 %, 100 %, the old version is taken away, and then all of it is rolled back: the old version is added again
and gets everything at once, and the other goes. Users ask all the while, each for itself, some of them for streams that
run on while the weight moves and while the cluster that they run on is taken away.

`python -m tests.e2e.zero_loss --iterations 20` is the long form, over both modes of xDS; the short form is a test.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
from scipy.stats import binomtest

from controlplane.engine.publisher import Publisher
from controlplane.engine.routing import GroupTarget
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.model import RolloutRoute, ServiceRoute
from controlplane.telemetry.exporter import Exporter
from extproc.accesslog.entry import Entry
from tests.e2e.path_world import GROUP, World, policy_of, world
from tests.waiting import until

STEPS_BP = (100, 5_000, 10_000)
# A step lasts until this many users were placed under it: enough to tell 1 % from 50 %, and 50 % from 60 %.
USERS_A_STEP = 150
PLAIN_WORKERS = 6
STREAM_WORKERS = 3
# Envoy's words for requests that the move itself lost: no cluster, no healthy upstream, no route.
LOST_FLAGS = frozenset({"NC", "UH", "NR"})
# A chance of one in a million that a right split is called wrong, per step.
IMPLAUSIBLE_P = 1e-6
# xds, sidecar, sidecar-observe
BOOTSTRAP_CLUSTERS = 3
_MINUTE_MS = 60_000


@dataclass
class Tally:
    """What users saw. `failures` in words; `placed`: of the step in force, version by user."""

    requests: int = 0
    streams: int = 0
    failures: list[str] = field(default_factory=list)
    implausible: list[str] = field(default_factory=list)
    steps: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    placed: dict[str, str] = field(default_factory=dict)
    takes_from_s: float = 0.0


class Story:
    """One Envoy, one service, and the load on it."""

    def __init__(self, here: World, tally: Tally) -> None:
        self._here = here
        self._tally = tally
        self._publisher = Publisher(here.ads, Exporter(), proxy_timeout_ms=_MINUTE_MS)
        self._users = 0
        self._both = here.service()

    def service(self, *names: str, baseline: str, weight_bp: int | None = None) -> ServiceRoute:
        """The service with these versions; with a weight, a rollout of v2 is under way."""
        versions = tuple(version for version in self._both.spec.versions if version.name in names)
        rollout = None if weight_bp is None else RolloutRoute("chat-v2", "v2", weight_bp)
        spec = self._both.spec.model_copy(update={"versions": versions})
        return replace(self._both, spec=spec, baseline=baseline, rollout=rollout)

    async def go(self, target: ServiceRoute) -> None:
        """To the target, phase by phase, until every proxy runs all of it."""
        self._here.sidecar.enforce([policy_of(target)])
        targets = {GROUP: GroupTarget(self._here.gateway, (target,))}
        self._publisher.take(self._publisher.plan(targets, {}, _now_ms()), {}, _now_ms())
        group = self._publisher.groups[GROUP]

        def has_come() -> bool:
            self._publisher.tick(_now_ms())
            snapshot, route = group.snapshot, group.route("chat")
            at_target = group.waiting_for("chat") == (frozenset(), ())
            return route == target and at_target and snapshot is not None and group.fleet.has_accepted(snapshot)

        await until(has_come, f"Envoy comes to {target.baseline} {target.rollout}")

    async def iterate(self) -> None:
        """Add, 1, 50, 100 %, remove the old, and back again."""
        await self.go(self.service("v1", baseline="v1"))
        await self.go(self.service("v1", "v2", baseline="v1", weight_bp=0))
        for weight_bp in STEPS_BP:
            await self.go(self.service("v1", "v2", baseline="v1", weight_bp=weight_bp))
            await self._split(weight_bp)
        await self.go(self.service("v2", baseline="v2"))
        await self._others_gone()
        await self.go(self.service("v1", baseline="v1"))
        await self._others_gone()

    async def _others_gone(self) -> None:
        """The old cluster has left Envoy, after its time of grace, with streams still on it."""
        await self._here.until_stat("cluster_manager.active_clusters", 1 + BOOTSTRAP_CLUSTERS)

    async def _split(self, weight_bp: int) -> None:
        """Users placed under this weight, by an exact binomial on distinct users."""
        tally = self._tally
        tally.placed, tally.takes_from_s = {}, time.monotonic()
        await until(lambda: len(tally.placed) >= USERS_A_STEP, f"{USERS_A_STEP} users at {weight_bp} bp", 30.0)
        placed = dict(tally.placed)
        count = sum(version == "v2" for version in placed.values())
        p = float(binomtest(count, len(placed), weight_bp / 10_000).pvalue)
        tally.steps += 1
        if p < IMPLAUSIBLE_P:
            tally.implausible.append(f"{count} of {len(placed)} users at {weight_bp} bp: p = {p:.2g}")

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Requests until the block ends; each that was begun is waited for."""
        ends = asyncio.Event()
        workers = [self._plain(ends) for _ in range(PLAIN_WORKERS)] + [
            self._streams(ends) for _ in range(STREAM_WORKERS)
        ]
        tasks = [asyncio.create_task(worker) for worker in workers]
        try:
            yield
        finally:
            ends.set()
            await asyncio.gather(*tasks)

    async def _plain(self, ends: asyncio.Event) -> None:
        while not ends.is_set():
            await self._ask("/")
            await asyncio.sleep(0.005)

    async def _streams(self, ends: asyncio.Event) -> None:
        while not ends.is_set():
            await self._ask("/stream?pause_s=0.6")
            self._tally.streams += 1

    async def _ask(self, path: str) -> None:
        self._users += 1
        user, began_s, tally = f"user-{self._users}", time.monotonic(), self._tally
        tally.requests += 1
        try:
            reply = await self._here.get({"x-user-id": user}, path=path)
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.failures.append(f"{path}: {error!r}")
            return
        if reply.status != 200 or ("stream" in path and not reply.body.endswith("data: [DONE]\n\n")):
            tally.failures.append(f"{path}: {reply.status} {reply.body[-80:]!r}")
        elif began_s >= tally.takes_from_s and reply.version is not None and path == "/":
            tally.placed[user] = reply.version


async def run(mode: Mode, iterations: int) -> Tally:
    """That many iterations over one Envoy. Raises AssertionError when something does not come about in time."""
    tally = Tally()
    async with world(mode=mode) as here:
        story = Story(here, tally)
        await story.go(story.service("v1", baseline="v1"))
        await here.until_tagging()
        async with story.load():
            for _ in range(iterations):
                await story.iterate()
        await asyncio.sleep(0.5)  # the last log entries
        entries = [entry for entry in here.sidecar.seen.entries if isinstance(entry, Entry)]
        tally.flags = Counter(flag for entry in entries for flag in entry.ending.flags)
        assert len(entries) >= tally.requests * 0.9, "the access log tells of these requests"
    return tally


def faults_of(tally: Tally) -> list[str]:
    """What must not be, in words; empty when nothing was lost."""
    lost = {flag: count for flag, count in tally.flags.items() if flag in LOST_FLAGS}
    return [*tally.failures[:5], *tally.implausible, *([f"flags {lost}"] if lost else [])]


def _now_ms() -> int:
    return int(time.monotonic() * 1_000)


def main() -> int:
    """Prints a JSON line a mode. Exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(description="Releases under load, and every request counted.")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--mode", choices=list(Mode), action="append")
    arguments = parser.parse_args()
    has_faults = False
    for mode in arguments.mode or list(Mode):
        began_s = time.monotonic()
        tally = asyncio.run(run(Mode(mode), arguments.iterations))
        faults = faults_of(tally)
        has_faults |= bool(faults)
        row = {
            "mode": mode,
            "iterations": arguments.iterations,
            "steps": tally.steps,
            "requests": tally.requests,
            "streams": tally.streams,
            "failed": len(tally.failures),
            "flags": dict(tally.flags),
            "faults": faults,
            "seconds": round(time.monotonic() - began_s, 1),
        }
        print(json.dumps(row), flush=True)
    return 1 if has_faults else 0


if __name__ == "__main__":
    sys.exit(main())
