"""One seed, one exact run: a rollout under faults, then a time without them in which it must converge.

A run ends early: faults stop a second after the rollout has ended, and the run when all have converged.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from controlplane.manifest.proxy_group import DEFAULT_GROUP
from controlplane.rollout.events import Facts
from controlplane.rollout.model import Paused, RollingBack
from controlplane.snapshot.mode import Mode
from controlplane.store.port import NotLeaderError, StoreError
from controlplane.xds.events import Node
from serinus.v1 import outcomes_pb2
from tests.sim.disk import CrashError, Disk, Files, Lease
from tests.sim.envoy import Envoy
from tests.sim.links import Links
from tests.sim.network import Network
from tests.sim.oracle import Oracle
from tests.sim.people import HookServers, Operators
from tests.sim.plane import Plane, begin
from tests.sim.plans import T0_MS, rollout_spec
from tests.sim.proxy import Proxy
from tests.sim.rules import need
from tests.sim.seat import Seat
from tests.sim.weather import Weather

FAULTS_S, CALM_S, REQUESTS = 16, 8, 6
SKEW_MS = 2_000
FLEETS = (1, 1, 1, 2, 3, 4)
# What the last seconds began (a rollback, say) has so long to end.
SETTLE_S = 15
AFTER_END_S = 1
# In calm weather nothing of this kind may hold a rollout that is otherwise well.
ILL = frozenset({
    "no_proxy", "waiting_for_proxies", "sidecar_silent", "no_sidecar", "waiting_for_sidecars", "clock_back", "paused",
    "approval", "hook_failed", "counters_unreadable", "candidate_health_unknown", "routing_fault",
})  # fmt: skip


@dataclass(frozen=True)
class Result:
    seed: int
    digest: str
    end: str
    met: Counter[str]


class Simulation:
    def __init__(
        self,
        seed: int,
        *,
        decoy: str = "",
        forced: frozenset[str] = frozenset(),
        faults_s: int = FAULTS_S,
        calm_s: int = CALM_S,
    ) -> None:
        self.random = random.Random(seed)
        self.seed, self.decoy, self.faults_s, self.calm_s = seed, decoy, faults_s, calm_s
        self.weather = Weather(self.random, forced)
        self.spec = rollout_spec(self.weather.features)
        self.disk = Disk(self.weather, decoy)
        self.disk.files = Files(self.weather) if self.weather.has_files else None
        begin(self.disk, self.spec)
        self.oracle = Oracle(self.disk, self.spec, self.weather.features)
        self.operators = Operators(self.weather, self.oracle.people)
        self.hooks = HookServers(self.weather, self.oracle.people)
        self.proxies = self._fleet()
        self.disk.lease = Lease() if self.weather.has_twins else None
        self.seats = [Seat(number, self.weather) for number in range(2 if self.weather.has_twins else 1)]
        self.network = Network(self.weather, self.proxies)
        self.links = Links(self.weather, self.proxies, self.seats, self.network.is_cut)
        self.digest = hashlib.sha256()

    def _fleet(self) -> list[Proxy]:
        bad_share = self.random.choice([0.02, 0.02, 0.9])
        if bad_share > 0.5:
            self.weather.met["candidate is broken"] += 1
        fleet = []
        for number in range(self.random.choice(FLEETS)):
            skew_ms = self.random.randint(-SKEW_MS, SKEW_MS) if self.random.random() < 0.3 else 0
            if self.weather.comes(0.01, "sidecar clock 40 s ahead"):
                skew_ms += 40_000
            elif abs(skew_ms) > 1_000:
                self.weather.met["sidecar clock off by > 1 s"] += 1
            mode = self.random.choice((Mode.DELTA, Mode.SOTW))
            envoy = Envoy(Node(f"edge-{number}", DEFAULT_GROUP), mode)
            fleet.append(Proxy(f"edge-{number}", number, skew_ms, bad_share, self.random, envoy))
        return fleet

    def run(self) -> Result:
        try:
            return self._run()
        finally:
            if self.disk.files is not None:
                self.disk.files.close()

    def _run(self) -> Result:
        second, calm_from, ended_s = 0, self.random.randint(self.faults_s // 3, self.faults_s), 0
        while second < calm_from + self.calm_s or (self._under_way() and second < calm_from + self.calm_s + SETTLE_S):
            is_calm = second >= calm_from
            self._faults(is_calm)
            self._second(T0_MS + second * 1_000, is_calm)
            second += 1
            has_ended = any(seat.plane is not None and seat.plane.rollout.is_terminal for seat in self.seats)
            ended_s = ended_s + 1 if has_ended else 0
            if ended_s == AFTER_END_S:
                calm_from = min(calm_from, second)
            if ended_s > AFTER_END_S and is_calm and not self._under_way():
                break
        need(not self._under_way(), self._under_way())
        plane = self._leader()
        assert plane is not None, "all have converged"
        need(plane.last_code not in ILL, f"nothing ill holds a rollout in calm weather: {plane.last_code}")
        self.oracle.slots(plane)
        return Result(self.seed, self.digest.hexdigest(), plane.rollout.phase.kind, self.weather.met)

    def _leader(self) -> Plane | None:
        """The plane whose writes count."""
        for seat in self.seats:
            if seat.plane is not None and (self.disk.lease is None or seat.plane.term == self.disk.lease.term):
                return seat.plane
        return None

    def _faults(self, is_calm: bool) -> None:
        weather = self.weather
        self.disk.crash_share = 0.0 if is_calm else weather.crash_share
        self.disk.full_share = 0.0 if is_calm else weather.full_share
        self.network.change(is_calm=is_calm)
        for seat in self.seats:
            seat.change(is_calm=is_calm, is_followed=seat.plane is not None and seat.plane is not self._leader())
        if not is_calm and weather.comes(weather.kill_share, "sidecar killed"):
            self.random.choice(self.proxies).restart()

    def _second(self, now_ms: int, is_calm: bool) -> None:
        for proxy in self.proxies:
            self.oracle.arms(proxy, proxy.serve(now_ms, REQUESTS))
            proxy.seal(now_ms)
            if is_calm or self.random.random() < 0.1:
                proxy.queue.rewind()  # a new connection: all that is not acknowledged goes out again
            for batch in proxy.unsent():
                self.network.post(proxy, batch, now_ms, is_calm=is_calm)
        self.links.change(now_ms, is_calm=is_calm)
        self._deliver(now_ms + 500)
        self.links.deliver(now_ms + 500, self._applied, is_calm=is_calm)
        for seat in self.seats:
            if not seat.is_stalled:
                self._guard(seat, partial(self._decide, seat, now_ms + 500, is_calm), now_ms)
                self.links.flush(seat, now_ms + 500, is_calm=is_calm)
        self._deliver(now_ms + 999)
        self.links.deliver(now_ms + 999, self._applied, is_calm=is_calm)

    def _applied(self, proxy: Proxy) -> None:
        if proxy.take():
            proxy.arms.clear()
        self.oracle.proxy(proxy)

    def _guard(self, seat: Seat, act: Callable[[], None], now_ms: int) -> None:
        try:
            act()
        except CrashError:
            self.links.flush(seat, now_ms, is_calm=False)  # what it had published goes on its way
            seat.plane = seat.term = None
            self.digest.update(b"crash")
        except NotLeaderError:
            seat.plane = seat.term = None
        except StoreError:
            self.digest.update(b"full")
            if seat.plane is not None:
                self.oracle.plane(seat.plane)

    def _deliver(self, until_ms: int) -> None:
        for at_ms, proxy, item in self.network.due(until_ms):
            seat = self.seats[proxy.seat]
            if not seat.is_stalled:
                self._guard(seat, partial(self._report, seat, proxy, item, at_ms), at_ms)
            if seat.plane is None:
                proxy.seat = self.random.randrange(len(self.seats))

    def _report(self, seat: Seat, proxy: Proxy, item: outcomes_pb2.Batch, at_ms: int) -> None:
        plane = self._open(seat, at_ms)
        if plane is None:
            return
        now_ms = seat.now_ms(at_ms)
        plane.hello(proxy.hello, now_ms)
        plane.report(proxy.hello, item, now_ms)
        proxy.queue.ack(item.seq)
        self.oracle.acknowledged(proxy.node, proxy.epoch, item.seq)

    def _open(self, seat: Seat, at_ms: int) -> Plane | None:
        """The seat's plane, begun anew where it may lead and does not. None: it follows."""
        if self.disk.lease is not None and seat.plane is None:
            seat.term = self.disk.lease.lead(seat.number, None, at_ms)
            if seat.term is None:
                return None
        if seat.plane is None:
            seat.plane = Plane(self.disk, self.spec, term=seat.term or 0, decoy=self.decoy)
            self._journal(None, [])
            self.oracle.slots(seat.plane)
            for proxy in self.proxies:
                proxy.queue.rewind()
        return seat.plane

    def _decide(self, seat: Seat, at_ms: int, is_calm: bool) -> None:
        plane, now_ms = self._open(seat, at_ms), seat.now_ms(at_ms)
        if plane is None:
            return
        try:
            self._events(plane, now_ms, is_calm)
        finally:
            self._journal(None, [])
        plane.streams.now_ms = at_ms
        before, heard, plane.seen = plane.rollout, plane.connected(), None
        try:
            plane.tick(now_ms)
        finally:
            # Also what was recorded just before a crash is looked at.
            self._journal(plane.seen, heard)
        self.oracle.plane(plane)
        assert plane.seen is not None
        self.oracle.rollback(before, plane.seen, plane.rollout, now_ms)
        line = f"{now_ms} {plane.last_code} {plane.rollout.revision} {plane.seen.evidence.sentence}"
        self.digest.update(line.encode())
        self._renew(seat, plane, at_ms)

    def _events(self, plane: Plane, now_ms: int, is_calm: bool) -> None:
        answer = self.hooks.answer(plane, now_ms, is_calm=is_calm)
        if answer is not None:
            plane.step(answer)
        wish = self.operators.wish(plane.rollout, now_ms, is_calm=is_calm)
        if wish is not None:
            self.operators.tell(plane, wish)

    def _renew(self, seat: Seat, plane: Plane, at_ms: int) -> None:
        """After it has decided: one that was away for long decides first, and must be stopped by the store alone."""
        if self.disk.lease is not None and self.disk.lease.lead(seat.number, plane.term, at_ms) != plane.term:
            seat.plane = seat.term = None

    def _journal(self, facts: Facts | None, heard: list[str]) -> None:
        self.weather.met.update(self.oracle.journal(facts, self.proxies, heard))

    def _under_way(self) -> str:
        """The rule that does not hold yet; "" once all have converged."""
        plane = self._leader()
        if plane is None:
            return "one control plane leads"
        if isinstance(plane.rollout.phase, RollingBack | Paused):
            return "what was on its way has ended"
        if any(
            (proxy.weight_bp, proxy.snapshot) != (plane.target[1], plane.streams.revision) for proxy in self.proxies
        ):
            return "every proxy has the weight in force"
        return "reports are acknowledged" if any(len(proxy.queue) > 2 for proxy in self.proxies) else ""
