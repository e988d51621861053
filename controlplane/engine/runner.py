"""The engine's shell: records a transition, then runs its effects; ticks once a second; takes commands and reports in.

One lock orders everything that changes the world. The store is called on one worker thread, off the event loop, and
always before what it records can be seen from outside: kill -9 at any point loses nothing and doubles nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from controlplane.clock import Clock
from controlplane.engine import recover
from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.facts import facts_of
from controlplane.engine.publisher import Publisher
from controlplane.engine.record import LastDecision, apply_writes, record_of, transition_objects
from controlplane.engine.routing import policies, service_routes
from controlplane.engine.world import Change, World, plan_apply
from controlplane.ingest import wire
from controlplane.ingest.registry import Registry
from controlplane.ingest.rows import Batch, Hello
from controlplane.manifest.load import load
from controlplane.rollout.effects import BeginStep, SetBaseline
from controlplane.rollout.events import Command, Event, Facts, Observed
from controlplane.rollout.machine import Action, Decision, Transition, advance
from controlplane.rollout.model import Rollout
from controlplane.snapshot.model import Gateway
from controlplane.store.port import Record, Store, StoredBatch
from controlplane.telemetry.catalogue import DECISIONS, STORE_WRITE
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.server import AdsServer
from serinus.v1 import outcomes_pb2

log = logging.getLogger("serinus.engine")

T = TypeVar("T")

# Twice a second: a verdict is at most half a second older than its evidence; a tick costs under 2 ms.
TICK_S = 0.5
# An ACK wakes the engine at once; many ACKs at a time make one tick.
TICK_S_MIN = 0.02
# A failed write (full disk) is tried again with the next tick; what waits for it holds.
PRUNE_EVERY_TICKS = 600


class Engine:
    """Composition is in `app.py`. Implements `ingest.server.Intake`."""

    def __init__(self, *, store: Store, ads: AdsServer, clock: Clock, gateway: Gateway, exporter: Exporter) -> None:
        self._store = store
        self._clock = clock
        self._exporter = exporter
        self._lock = asyncio.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._changed = asyncio.Condition()
        self._fleet_changed = asyncio.Event()
        self._policy = outcomes_pb2.Policy()
        self.ads = ads
        ads.on_change = self._fleet_changed.set
        self.publisher = Publisher(ads, gateway, exporter)
        self.registry = Registry()
        self.world = World()
        self.trackers: dict[str, EvidenceTracker] = {}
        self.last: dict[str, LastDecision] = {}

    async def start(self) -> None:
        """Read the state and publish it. Raises StoreError. Nothing was served before this returned."""
        self.world = recover.world_of(await self._stored(self._store.objects), await self._stored(self._store.latest))
        active = self._active()
        for rollout in active:
            tracker = self._track(rollout)
            for begin in recover.begins_of(rollout, await self._stored(self._store.records, rollout.name)):
                tracker.begin(begin)
        if active:
            since_ms = min(rollout.started_at_ms for rollout in active)
            batches = await self._stored(lambda since: list(self._store.batches(since)), since_ms)
            count = recover.replay(self.trackers, batches)
            log.info("state read", extra={"fields": {"rollouts_active": len(active), "batches": count}})
        await self._publish()

    async def run(self) -> None:
        """Tick until cancelled. A failed tick is logged and tried again; nothing advances meanwhile."""
        ticks = 0
        while True:
            await self._pause()
            ticks += 1
            try:
                await self._tick()
                if ticks % PRUNE_EVERY_TICKS == 0:
                    await self._prune()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("tick failed")

    async def _pause(self) -> None:
        """Until the next tick is due, or the fleet changed; never less than TICK_S_MIN."""
        await asyncio.sleep(TICK_S_MIN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S - TICK_S_MIN):
                await self._fleet_changed.wait()
        self._fleet_changed.clear()

    async def close(self) -> None:
        self._worker.shutdown(wait=True)
        self._store.close()

    # --- operators ---

    async def apply(self, files: Sequence[tuple[str, str]], *, dry_run: bool, actor: str) -> tuple[Change, ...]:
        """All or nothing. Raises ManifestError with every problem, StoreError."""
        manifests = load(files)
        async with self._lock:
            now_ms = self._clock.now_ms()
            plan = plan_apply(self.world, manifests, now_ms)
            if dry_run:
                return plan.changes
            objects, records = apply_writes(plan, actor=actor, now_ms=now_ms)
            await self._stored(self._store.apply, objects, records)
            self.world = plan.world
            for record in records:
                self._track(self.world.rollout(record.rollout))
            await self._publish()
        await self._notify()
        return plan.changes

    async def command(self, name: str, command: Command) -> Rollout:
        """An operator's hand. Raises NotFoundError, IllegalEventError, StoreError."""
        async with self._lock:
            await self._step(self.world.rollout(name), command)
            rollout = self.world.rollout(name)
        await self._notify()
        return rollout

    def now_ms(self) -> int:
        return self._clock.now_ms()

    async def records(self, name: str) -> list[Record]:
        """A rollout's journal, oldest first."""
        return await self._stored(self._store.records, name)

    async def changed(self, timeout_s: float) -> None:
        """Returns at the next change, or after the time."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

    # --- sidecars (ingest.server.Intake) ---

    def policy(self) -> outcomes_pb2.Policy:
        return self._policy

    async def policy_changed(self, known: str) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._policy.version != known)

    async def hello(self, hello: Hello) -> None:
        log.info("sidecar connected", extra={"fields": {"sidecar": hello.sidecar, "epoch": hello.epoch}})
        self.registry.hello(hello, self._clock.now_ms())

    async def goodbye(self, hello: Hello) -> None:
        log.info("sidecar left", extra={"fields": {"sidecar": hello.sidecar, "epoch": hello.epoch}})
        self.registry.goodbye(hello)

    async def policy_ack(self, hello: Hello, version: str, error: str) -> None:
        self.registry.policy_ack(hello, version, error)

    async def batch(self, hello: Hello, batch: Batch, payload: bytes) -> None:
        async with self._lock:
            now_ms = self._clock.now_ms()
            stored = StoredBatch(hello.sidecar, hello.epoch, batch.seq, now_ms, payload)
            if not await self._stored(self._store.save_batch, stored):
                return
            self.registry.batch(hello, batch, now_ms)
            for rollout in self._active():
                self.trackers[rollout.name].add(batch.rows, now_slot=now_ms // 1000)

    # --- inside the lock ---

    def _active(self) -> list[Rollout]:
        """The rollouts that have not ended."""
        return [entry.rollout for entry in self.world.rollouts.values() if not entry.rollout.is_terminal]

    async def _tick(self) -> None:
        async with self._lock:
            now_ms = self._clock.now_ms()
            self.publisher.tick(now_ms)
            closed = self.registry.closed_through(now_ms)
            for rollout in self._active():
                try:
                    await self._observe(rollout, closed, now_ms)
                except Exception:
                    # One rollout that cannot be judged must not stop the others; it holds, and says so.
                    log.exception("rollout cannot be judged", extra={"fields": {"rollout": rollout.name}})
                    text = "internal error while judging; next: see the control plane's log"
                    self.last[rollout.name] = LastDecision(Decision(Action.HOLD, "internal", text), now_ms)
        await self._notify()

    async def _observe(self, rollout: Rollout, closed: int | None, now_ms: int) -> None:
        tracker = self.trackers[rollout.name]
        if closed is not None:
            tracker.close(closed)
        await self._step(rollout, Observed(now_ms, self._facts(rollout, tracker, now_ms)))

    def _facts(self, rollout: Rollout, tracker: EvidenceTracker, now_ms: int) -> Facts:
        return facts_of(
            rollout,
            publisher=self.publisher,
            registry=self.registry,
            tracker=tracker,
            nodes=self.publisher.connected_nodes(),
            policy_version=self._policy.version,
            now_ms=now_ms,
        )

    async def _step(self, rollout: Rollout, event: Event) -> None:
        transition = advance(rollout, event)
        moved = transition.state is not rollout
        last = self.last.get(rollout.name)
        now_ms = event.now_ms
        if not moved and last is not None and not last.must_write(transition.decision, now_ms):
            last.decision = transition.decision
            return
        record = record_of(transition.state, now_ms, transition.decision, moved=moved)
        await self._stored(self._store.append, record, transition_objects(self.world, transition, now_ms))
        holds = (last.holds_written if last else 0) + (not moved)
        self.last[rollout.name] = LastDecision(transition.decision, now_ms, holds)
        labels = (rollout.spec.service, rollout.name, transition.decision.action, transition.decision.code)
        self._exporter.count(DECISIONS, *labels)
        fields = {"rollout": rollout.name, "revision": record.revision, "phase": transition.state.phase.kind}
        log.info(transition.decision.text, extra={"fields": {**fields, "code": transition.decision.code}})
        if moved:
            await self._run(transition)

    async def _run(self, transition: Transition) -> None:
        world = self.world.with_rollout(transition.state)
        for effect in transition.effects:
            if isinstance(effect, SetBaseline):
                world = world.with_baseline(effect.service, effect.version)
            elif isinstance(effect, BeginStep):
                self.trackers[transition.state.name].begin(effect)
        self.world = world
        await self._publish()

    async def _publish(self) -> None:
        self.publisher.target(service_routes(self.world), self._clock.now_ms())
        policy = wire.policy_message(policies(self.world))
        if policy.version != self._policy.version:
            self._policy = policy
            await self._notify()

    def _track(self, rollout: Rollout) -> EvidenceTracker:
        tracker = EvidenceTracker(rollout.spec, rollout=rollout.name, baseline=rollout.baseline)
        self.trackers[rollout.name] = tracker
        return tracker

    async def _prune(self) -> None:
        """Batches older than every active rollout are evidence for nothing any more."""
        oldest_ms = min((rollout.started_at_ms for rollout in self._active()), default=self._clock.now_ms())
        await self._stored(self._store.prune_batches, oldest_ms)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _stored(self, function: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            return await loop.run_in_executor(self._worker, function, *arguments)
        finally:
            self._exporter.observe(STORE_WRITE, loop.time() - before)
