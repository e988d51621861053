"""One seed, one exact run: a rollout under faults, then a time without them in which it must converge."""

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from controlplane.rollout.events import Abort, Event, Pause, Resume
from controlplane.rollout.model import Paused, RollingBack
from controlplane.rollout.transition import IllegalEventError
from serinus.v1 import outcomes_pb2
from tests.sim.oracle import Oracle, need
from tests.sim.plane import T0_MS, CrashError, Disk, Plane, begin
from tests.sim.proxy import Proxy

FAULTS_S, CALM_S, REQUESTS = 18, 12, 8
# What the last seconds began (a rollback, say) has so long to end; 7 of 1,600 runs needed a second of it.
SETTLE_S = 15


@dataclass(frozen=True)
class Result:
    seed: int
    digest: str
    end: str
    crashes: int


class Simulation:
    def __init__(self, seed: int, *, decoy: str = "", faults_s: int = FAULTS_S, calm_s: int = CALM_S) -> None:
        self.random = random.Random(seed)
        self.seed, self.decoy, self.faults_s, self.end_s = seed, decoy, faults_s, faults_s + calm_s
        self.disk = Disk(self.random)
        begin(self.disk)
        self.oracle = Oracle(self.disk)
        bad_share = self.random.choice([0.02, 0.02, 0.9])
        self.proxies = [
            Proxy(f"edge-{n}", n, self.random.randint(-2_000, 2_000), bad_share, self.random)
            for n in range(self.random.randint(1, 4))
        ]
        self.plane: Plane | None = None
        self.digest, self.crashes = hashlib.sha256(), 0
        self.loss = self.random.choice([0.0, 0.05, 0.2])
        self.cut: set[int] = set()
        self._mail: list[tuple[int, int, int, tuple[int, int] | outcomes_pb2.Batch, int]] = []
        self._posted = 0
        self.now_ms = T0_MS

    def run(self) -> Result:
        second = 0
        while second < self.end_s or (self._under_way() and second < self.end_s + SETTLE_S):
            is_calm = second >= self.faults_s
            self._faults(is_calm)
            self._second(T0_MS + second * 1_000, is_calm)
            second += 1
        need(not self._under_way(), self._under_way())
        self.oracle.slots(self._plane())
        return Result(self.seed, self.digest.hexdigest(), self._plane().rollout.phase.kind, self.crashes)

    def _plane(self) -> Plane:
        if self.plane is None:
            self.plane = Plane(self.disk, self.decoy)
            self.oracle.journal(None, self.proxies, [])
            self.oracle.slots(self.plane)
            for proxy in self.proxies:
                proxy.queue.rewind()
        return self.plane

    def _faults(self, is_calm: bool) -> None:
        self.disk.crash_share = 0.0 if is_calm else 0.01
        self.cut = (
            set() if is_calm else {n for n in range(4) if self.random.random() < (0.7 if n in self.cut else 0.06)}
        )
        if not is_calm and self.random.random() < 0.03:
            self.random.choice(self.proxies).restart()

    def _second(self, now_ms: int, is_calm: bool) -> None:
        self.now_ms = now_ms
        for proxy in self.proxies:
            self.oracle.arms(proxy, proxy.serve(now_ms, REQUESTS))
            proxy.seal(now_ms)
            if is_calm or self.random.random() < 0.2:
                proxy.queue.rewind()  # a new connection: all that is not acknowledged goes out again
            for batch in proxy.unsent():
                self._post(proxy, batch, now_ms, is_calm)
        self._guard(lambda: self._deliver(now_ms + 500))
        self._guard(lambda: self._decide(now_ms + 500, is_calm))
        if self.plane is not None:
            for proxy in self.proxies:
                self._post(proxy, self.plane.target, now_ms + 500, is_calm)
        self._guard(lambda: self._deliver(now_ms + 999))

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except CrashError:
            if self.plane is not None:  # what it had published goes on its way
                for proxy in self.proxies:
                    self._post(proxy, self.plane.target, self.now_ms, False)
            self.plane, self.crashes = None, self.crashes + 1
            self.digest.update(b"crash")

    def _post(self, proxy: Proxy, item: tuple[int, int] | outcomes_pb2.Batch, at_ms: int, is_calm: bool) -> None:
        if proxy.number in self.cut or (not is_calm and self.random.random() < self.loss):
            return
        for _ in range(1 if is_calm or self.random.random() > 0.1 else 2):
            delay_ms = self.random.randint(1, 300 if is_calm else 2_500)
            self._posted += 1
            heapq.heappush(self._mail, (at_ms + delay_ms, self._posted, proxy.number, item, proxy.epoch))

    def _deliver(self, until_ms: int) -> None:
        while self._mail and self._mail[0][0] <= until_ms:
            at_ms, _, number, item, epoch = heapq.heappop(self._mail)
            proxy = self.proxies[number]
            if epoch != proxy.epoch:
                continue  # the connection that carried it is gone
            if isinstance(item, tuple):
                if proxy.take(*item):
                    proxy.arms.clear()
                self.oracle.proxy(proxy)
                continue
            plane = self._plane()
            plane.hello(proxy.hello, at_ms)
            plane.report(proxy.hello, item, at_ms)
            proxy.queue.ack(item.seq)
            self.oracle.acknowledged(proxy.node, proxy.epoch, item.seq, len(item.rows))
            plane.proxy_says(proxy.node, proxy.revision, at_ms)

    def _decide(self, now_ms: int, is_calm: bool) -> None:
        plane = self._plane()
        if not is_calm and self.random.random() < 0.04:
            self._command(plane, now_ms)
        if is_calm and isinstance(plane.rollout.phase, Paused):
            self._step(plane, Resume(now_ms, "sim", ""))
        before, heard = plane.rollout, plane.connected(now_ms)
        try:
            plane.tick(now_ms)
        finally:
            # Also what was recorded just before a crash is looked at.
            self.oracle.journal(plane.seen, self.proxies, heard)
        facts = plane.seen
        assert facts is not None
        self.oracle.rollback(before, facts, plane.rollout)
        self.oracle.plane(plane)
        self.digest.update(f"{now_ms} {plane.last_code} {plane.rollout.revision} {facts.evidence.sentence}".encode())

    def _command(self, plane: Plane, now_ms: int) -> None:
        kind = self.random.choice([Pause, Resume, Abort])
        self._step(plane, kind(now_ms, "sim", ""))

    def _step(self, plane: Plane, event: Event) -> None:
        is_running = not plane.rollout.is_terminal and not isinstance(plane.rollout.phase, RollingBack)
        try:
            plane.step(event)
        except IllegalEventError:
            need(not (isinstance(event, Abort) and is_running), "an abort is always possible")
        finally:
            self.oracle.journal(None, self.proxies, [])

    def _under_way(self) -> str:
        """The rule that does not hold yet; "" once all have converged."""
        plane = self._plane()
        if isinstance(plane.rollout.phase, RollingBack | Paused):
            return "what was on its way has ended"
        if any((proxy.revision, proxy.weight_bp) != plane.target for proxy in self.proxies):
            return "every proxy has the weight in force"
        return "reports are acknowledged" if any(len(proxy.queue) > 2 for proxy in self.proxies) else ""
