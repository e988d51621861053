"""kill -9 at random moments of control plane, sidecar and PostgreSQL, under load, release after release.

`python -m tests.e2e.kills --kills 200`: half of them on one control plane over SQLite and its sidecar, half on two control
planes over PostgreSQL, their sidecar and the database. Prints a table; exit code 1 when anything does not hold.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from controlplane.errors import SerinusError
from tests.e2e.harness import rollout_text, service_text, wait_for
from tests.e2e.kill_checks import Book, journal_faults, missing
from tests.e2e.kill_questions import acked_rows, asked, is_ready, open_store
from tests.e2e.kill_world import KillWorld, compiled, kill, kill_postgres, kill_world
from tests.e2e.load import Load
from tests.postgres import Postgres, postgres

RATE = 60.0
STEPS = ("20%", "60%", "100%")
# A slot's follow-up, its report, and the time after which a lost log entry counts as lost.
SETTLE_S = 8.0
USERS = [f"user-{n}" for n in range(300)]
STEERS_S_MEAN, FOLLOWS_S_MAX, GAP_S_MAX = 3.0, 10.0, 2.0
# A loaded machine is waited for; what it took stands in the table.
BACK_S_MAX = 60.0
RELEASE_S_MAX = 900.0
# For 10 s after a sidecar's kill every release holds, for its data has a gap.
BURST = 10
CALM_S = 12.0
# The share of the sidecar's kills that come with the control plane just killed, which is back after some 2.6 s.
UNHEARD = 0.3
AWAY_S = (0.3, 2.2)


@dataclass
class Found:
    """What one half has measured, and what did not hold."""

    back_s: dict[str, list[float]] = field(default_factory=dict)
    requests: int = 0
    releases: int = 0
    steps: int = 0
    stored: int = 0
    marked: int = 0
    gap_s: float = 0.0
    acked_rows: int = 0
    faults: list[str] = field(default_factory=list)


def manifest(addresses: dict[str, str]) -> str:
    return service_text("chat", addresses, host="chat.test")


@dataclass
class Story:
    """Releases one after another, and the killing of what carries them."""

    world: KillWorld
    server: Postgres | None
    draw: random.Random
    found: Found = field(default_factory=Found)
    book: Book = field(default_factory=Book)
    sidecar_kills_s: list[float] = field(default_factory=list)
    unheard_s: list[float] = field(default_factory=list)  # those of them with the control plane away
    names: list[str] = field(default_factory=list)
    _acked: dict[int, int] = field(default_factory=dict)

    async def release(self) -> None:
        """From one version to the other and back, for ever. Whatever cannot be asked now is asked again."""
        candidate = "v2"
        while True:
            name = f"release-{len(self.names) + 1}"
            plan = rollout_text(name, "chat", candidate=candidate, steps=STEPS, min_step="1s")
            await asked(partial(self.world.admin.apply, plan))
            self.names.append(name)
            view = await wait_for(partial(self._ended, name), timeout_s=RELEASE_S_MAX, what=f"{name} ends", poll_s=0.3)
            if view.phase != "promoted":
                self.found.faults.append(f"{name} is {view.phase}: {view.message}")
                return
            candidate = "v1" if candidate == "v2" else "v2"

    async def _ended(self, name: str) -> Any:
        view = await asked(partial(self.world.admin.rollout, name))
        return view if view.terminal else None

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(1.0)

    async def look(self) -> None:
        """What the sidecar was told is safe, and what the store has; nothing while either is away."""
        with contextlib.suppress(Exception):
            pid = self.world.sidecar.pid
            rows = await asyncio.wait_for(acked_rows(self.world), 2.0)
            if pid == self.world.sidecar.pid:
                self._acked[pid] = max(rows, self._acked.get(pid, 0))
        with contextlib.suppress(SerinusError):
            await asyncio.to_thread(self._read)

    def _read(self) -> None:
        with open_store(self.world) as store:
            self.book.take(store.batches(0))

    async def plane(self) -> None:
        """The one that leads."""
        number, began_s = await self._leading(), time.monotonic()
        await kill(self.world.planes[number][0])
        self.world.leading = -1
        await self._back(lambda: self.world.leading >= 0, "leader" if self.server else "control plane", began_s)

    async def _leading(self) -> int:
        return await wait_for(lambda: self.world.leading + 1, timeout_s=BACK_S_MAX, what="one leads") - 1

    async def follower(self) -> None:
        number, began_s = await self._leading(), time.monotonic()
        await kill(self.world.planes[1 - number][0])
        await self._back(lambda: self.world.leading >= 0, "follower", began_s)

    async def sidecar(self) -> None:
        """While it is heard; of one control plane also while that is away, and what it holds dies with it."""
        if self.server is None and self.draw.random() < UNHEARD:
            await self._unheard()
            return
        for _ in range(2):
            known = await acked_rows(self.world)
            await wait_for(partial(self._reported, known), timeout_s=BACK_S_MAX, what="reports are acknowledged")
            await asyncio.sleep(self.draw.uniform(0.5, 1.5))
        began_s = time.monotonic()
        self.sidecar_kills_s.append(time.time())
        await kill(self.world.sidecar)
        await self._back(partial(is_ready, self.world), "sidecar", began_s)

    async def _unheard(self) -> None:
        began_s = time.monotonic()
        await kill(self.world.planes[await self._leading()][0])
        self.world.leading = -1
        await asyncio.sleep(self.draw.uniform(*AWAY_S))
        self.sidecar_kills_s.append(time.time())
        self.unheard_s.append(self.sidecar_kills_s[-1])
        await kill(self.world.sidecar)
        await self._back(partial(is_ready, self.world), "sidecar, unheard", began_s)

    async def _reported(self, known: int) -> bool:
        return await acked_rows(self.world) > known

    async def database(self) -> None:
        assert self.server is not None
        began_s = time.monotonic()
        await kill_postgres(self.server)
        await self._back(lambda: self.world.leading >= 0, "PostgreSQL", began_s)

    async def _back(self, is_back: Callable[[], bool | Awaitable[bool]], what: str, began_s: float) -> None:
        """Until it is back; and until it steers, before anything else is killed. Of one control plane that is one."""
        is_plane = what == "control plane"
        await wait_for(self.world.is_steering if is_plane else is_back, timeout_s=BACK_S_MAX, what=what, poll_s=0.05)
        self.found.back_s.setdefault(what, []).append(time.monotonic() - began_s)
        await wait_for(self.world.is_steering, timeout_s=BACK_S_MAX, what="it steers again", poll_s=0.05)

    async def kill_all(self, count: int) -> None:
        """Bursts: two of what decides, in which releases go on, then one of the sidecar, in which they must hold."""
        deciders = [self.plane] if self.server is None else [self.plane, self.follower, self.database]
        for burst, first in enumerate(range(0, count, BURST)):
            is_sidecar = burst % 3 == 2
            for _ in range(min(BURST, count - first)):
                await asyncio.sleep(self.draw.uniform(0.0, 1.5))
                await (self.sidecar if is_sidecar else self.draw.choice(deciders))()
            print(f"  {min(first + BURST, count)} of {count} kills, {len(self.names)} releases", flush=True)
            await asyncio.sleep(CALM_S if is_sidecar else 2.0)

    def conclude(self, load: Load) -> None:
        found, offset_s = self.found, time.time() - time.monotonic()
        sent_s = [reply.started_s + offset_s for reply in load.replies]
        seen = missing(sent_s, self.book, self.sidecar_kills_s, rate=RATE, unheard_s=self.unheard_s)
        found.requests, found.stored, found.gap_s = seen.sent, seen.stored, seen.seconds_before_kill_max
        found.marked, found.acked_rows = self.book.lost, sum(self._acked.values())
        found.faults += [f"a request failed: {reply.status} {reply.error}" for reply in load.failed[:5]]
        found.faults += self.book.holes()
        with open_store(self.world) as store:
            for name in self.names:
                records = store.records(name)
                found.faults += journal_faults(name, records)
                found.steps += sum(record.code == "step_started" for record in records)
        found.releases = len(self.names)
        rules = {
            "an acknowledged slot is lost": found.acked_rows <= self.book.row_count,
            "a stored batch has changed": self.book.changed == 0,
            "a request is counted twice": found.stored <= found.requests,
            "what is missing is not marked": found.requests - found.stored <= found.marked,
            f"more than {GAP_S_MAX:g} s are missing before a kill": found.gap_s <= GAP_S_MAX,
            "no step was made": found.steps > 0,
        }
        found.faults += [fault for fault, holds in rules.items() if not holds]


async def half(count: int, seed: int, server: Postgres | None) -> Found:
    with tempfile.TemporaryDirectory(prefix="skill-") as home:
        compiled(Path(home))
        async with kill_world(Path(home), manifest, postgres=server) as world:
            story = Story(world, server, random.Random(seed))
            await asyncio.sleep(2.0)  # the probes' second is over
            async with world.client.load(USERS, rate=RATE) as load:
                beside = [asyncio.create_task(story.release()), asyncio.create_task(story.watch())]
                try:
                    await asyncio.sleep(3.0)
                    await story.kill_all(count)
                finally:
                    for task in beside:
                        task.cancel()
                    ended = await asyncio.gather(*beside, return_exceptions=True)
            await asyncio.sleep(SETTLE_S)
            await story.look()
            story.conclude(load)
            story.found.faults += [repr(each) for each in ended if isinstance(each, Exception)]
            return story.found


def times_faults(found: Found) -> list[str]:
    """The bounds in seconds, which are of an idle machine."""
    faults = []
    alone, led = found.back_s.get("control plane"), found.back_s.get("leader")
    if alone and statistics.mean(alone) > STEERS_S_MEAN:
        faults.append(f"a control plane steers again after {statistics.mean(alone):.1f} s, more than {STEERS_S_MEAN:g}")
    if led and max(led) > FOLLOWS_S_MAX:
        faults.append(f"a follower took over after {max(led):.1f} s, more than {FOLLOWS_S_MAX:g}")
    return faults


def table(found: Found) -> str:
    lines = [
        f"  {what:<14} killed {len(times):>3} times, back after {statistics.mean(times):5.2f} s, at most {max(times):5.2f} s"
        for what, times in found.back_s.items()
    ]
    lines += [
        f"  {found.requests} requests, of which failed: 0"
        if not any("failed" in each for each in found.faults)
        else "",
        f"  {found.releases} releases, {found.steps} steps started, each once and in its order",
        f"  {found.acked_rows} rows acknowledged to a sidecar, none lost; {found.stored} requests in stored slots",
        f"  {found.requests - found.stored} requests in no slot, {found.marked} marked as lost; "
        f"before a kill at most {found.gap_s:.2f} s",
    ]
    return "\n".join([*filter(None, lines), *(f"  FAULT {fault}" for fault in found.faults)])


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 under load, and everything counted.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], help="only this half, with all the kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    has_faults, halves = False, [arguments.store] if arguments.store else ["sqlite", "postgresql"]
    for title in halves:
        began_s, count = time.monotonic(), arguments.kills // len(halves)
        found = asyncio.run(half(count, arguments.seed, postgres() if title == "postgresql" else None))
        found.faults += times_faults(found)
        print(f"{title}, {count} kills in {time.monotonic() - began_s:.0f} s\n{table(found)}", flush=True)
        has_faults |= bool(found.faults)
    return 1 if has_faults else 0


if __name__ == "__main__":
    sys.exit(main())
