"""The engine's shell: records a transition, then runs its effects; ticks twice a second; takes commands and reports in.

One lock orders everything that changes the world. The store is called on one worker thread, off the event loop, and
always before what it records can be seen from outside: kill -9 at any point loses nothing and doubles nothing. What
changed while the lock was held is published once, at its end; a rollback is published at once.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from controlplane.clock import Clock
from controlplane.engine import audit, editing, queue
from controlplane.engine.alerting.desk import AlertDesk
from controlplane.engine.deleting import Named, plan_delete
from controlplane.engine.delivery import Delivery
from controlplane.engine.evidence import EvidenceTracker, tracker_of
from controlplane.engine.facts import Sources, facts_of
from controlplane.engine.feedback import OPERATORS, FeedbackDesk
from controlplane.engine.history.unusual import Unusual
from controlplane.engine.hooks.calls import HookCaller, NoHooks
from controlplane.engine.hooks.runner import HookRunner
from controlplane.engine.publisher import Publisher
from controlplane.engine.record import LastDecision, apply_writes, internal_hold, record_of, transition_objects
from controlplane.engine.secrets import NoSecrets, SecretSource
from controlplane.engine.state.runner import prune, read_state
from controlplane.engine.steps import PLACEHOLDER, with_steps
from controlplane.engine.transitions import after, with_world
from controlplane.engine.world import Change, World, plan_apply
from controlplane.ingest.registry import Registry
from controlplane.ingest.rows import Batch, Hello
from controlplane.manifest.load import TextFiles, load
from controlplane.rollout.effects import BeginAttempt, BeginStep
from controlplane.rollout.events import Command, Event, HooksEnded, Observed
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Rollout
from controlplane.rollout.transition import Action, Transition
from controlplane.security.identity import Caller
from controlplane.settings import PROXY_TIMEOUT_S
from controlplane.signals.book import SignalBook
from controlplane.snapshot.errors import SnapshotError
from controlplane.snapshot.model import Gateway
from controlplane.store.port import Record, Store, StoredBatch
from controlplane.store.runner import StoreRunner
from controlplane.telemetry.catalogue import DECISIONS
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.server import AdsServer
from serinus.v1 import outcomes_pb2

log = logging.getLogger("serinus.engine")

# Twice a second: a verdict is at most half a second older than its evidence; a tick costs under 2 ms.
TICK_S = 0.5
TICK_S_MIN = 0.02  # an ACK wakes the engine at once; many ACKs at a time make one tick
PRUNE_EVERY_TICKS = 600
SECRETS_EVERY_S = 5.0  # a credential that was changed on disk is in force within this time and a push


class Engine:
    """Composition is in `app.py`. Implements `ingest.server.Intake`."""

    def __init__(
        self,
        *,
        store: Store,
        ads: AdsServer,
        clock: Clock,
        gateway: Gateway,
        exporter: Exporter,
        secrets: SecretSource | None = None,
        hooks: HookCaller | None = None,
        proxy_timeout_s: float = PROXY_TIMEOUT_S,
    ) -> None:
        self.store = store
        self.now_ms = clock.now_ms
        self._exporter = exporter
        self._lock = asyncio.Lock()
        self._runner = StoreRunner(exporter)
        self.stored = self._runner.run
        self._changed = asyncio.Condition()
        self._fleet_changed = asyncio.Event()
        self.ads, ads.on_change = ads, self._fleet_changed.set
        self.publisher = Publisher(ads, exporter, proxy_timeout_ms=round(proxy_timeout_s * 1000))
        self.registry, self.signals, self.alerts = Registry(), SignalBook(), AlertDesk()
        self._source = secrets or NoSecrets()
        self._hooks = HookRunner(hooks or NoHooks(), self._source, now_ms=self.now_ms, ended=self.command)
        self.delivery = Delivery(self.publisher, gateway)
        self.world, self._decides, self.notes = World(), True, dict[str, tuple[str, ...]]()
        self.feedback, self.unusual = FeedbackDesk(), dict[tuple[str, str], Unusual]()
        self.trackers, self.last = dict[str, EvidenceTracker](), dict[str, LastDecision]()

    async def start(self, claim: Callable[[], None] = lambda: None, *, decides: bool = True) -> None:
        """Read the state and publish it; nothing was served before this returned. Called again, it forgets what it had.
        `claim` lets writes through; who decides nothing is spared the evidence. Raises StoreError, SnapshotError."""
        async with self._lock:
            claim()
            self._decides, self.last, self.alerts = decides, {}, AlertDesk()
            self.world, self.trackers, self.feedback = await read_state(
                self._runner, self.store, with_evidence=decides, now_ms=self.now_ms()
            )
            self.delivery.policies.feedback_key = self.feedback.key
            read = await asyncio.to_thread(self._source.read, self.delivery.files_of(self.world))
            now_ms = self.now_ms()
            self._warn(self.delivery.take(self.world, self.delivery.plan(self.world, read, now_ms), now_ms))

    async def run(self) -> None:
        """Tick until cancelled. A failed tick is logged and tried again; nothing advances meanwhile."""
        watching = asyncio.create_task(self._watch_secrets())
        try:
            for ticks in itertools.count(1):
                await self._pause()
                try:
                    await self._tick()
                    if ticks % PRUNE_EVERY_TICKS == 0:
                        await prune(self._runner, self.store, self.world, self.now_ms())
                except Exception:
                    log.exception("tick failed")
        finally:
            watching.cancel()
            self._hooks.follow(World())

    async def _pause(self) -> None:
        """Until the next tick is due, or the fleet changed; never less than TICK_S_MIN."""
        await asyncio.sleep(TICK_S_MIN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S - TICK_S_MIN):
                await self._fleet_changed.wait()
        self._fleet_changed.clear()

    async def close(self) -> None:
        self._hooks.close()
        self._runner.close()
        self.store.close()

    # --- operators ---

    async def apply(
        self, files: TextFiles, gone: Sequence[Named] = (), *, dry_run: bool, actor: str, by: Caller | None = None
    ) -> tuple[Change, ...]:
        """With deletions, all or nothing. Raises ManifestError, SnapshotError, StoreError, and as `plan_delete`."""
        # Reading and checking a thousand services takes seconds, in which proxies and sidecars must not wait.
        manifests = await asyncio.to_thread(load, files, auto_steps=PLACEHOLDER)
        async with self._changing() as now_ms:
            seen = self.registry.traffic  # nobody writes to it while we hold the lock
            manifests, notes = await asyncio.to_thread(with_steps, manifests, self.world, seen, now_ms // 1000)
            plan = plan_delete(await asyncio.to_thread(plan_apply, self.world, manifests, now_ms, notes), gone)
            read = await asyncio.to_thread(self._source.read, self.delivery.files_of(plan.world))
            planned = self.delivery.plan_apply(plan.world, manifests, read, now_ms)
            if dry_run:
                return plan.changes
            objects, records = apply_writes(plan, actor=actor, now_ms=now_ms)
            await self.stored(self.store.apply, objects, [*records, *audit.applied(by, plan.changes, now_ms)])
            self.world = plan.world
            self.trackers = {name: one for name, one in self.trackers.items() if name in self.world.rollouts}
            for rollout in editing.judged_anew((self.world.rollout(each.rollout) for each in records), now_ms):
                self._track(rollout)
            self._warn(self.delivery.take(self.world, planned, now_ms))
        return plan.changes

    async def command(self, name: str, command: Command | HooksEnded, by: Caller | None = None) -> Rollout:
        """An operator's hand, or the end of hooks. Raises NotFoundError, IllegalEventError, StoreError."""
        async with self._changing():
            event = with_world(self.world, name, command)
            await self._step(self.world.rollout(name), event, audit.commanded(by, name, command))
            return self.world.rollout(name)

    async def records(self, name: str, last: int | None = None) -> list[Record]:
        """A rollout's journal, or its newest records; oldest first."""
        return await self.stored(self.store.records, name, last)

    async def changed(self, timeout_s: float) -> None:
        """Returns at the next change, or after the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait()

    # --- sidecars (ingest.server.Intake) ---

    def policy(self) -> outcomes_pb2.Policy:
        return self.delivery.policies.policy

    async def policy_changed(self, known: str) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.delivery.policies.policy.version != known)

    async def hello(self, hello: Hello) -> None:
        log.info("sidecar connected", extra={"fields": {"sidecar": hello.sidecar, "epoch": hello.epoch}})
        self.registry.hello(hello, self.now_ms())

    async def goodbye(self, hello: Hello) -> None:
        log.info("sidecar left", extra={"fields": {"sidecar": hello.sidecar, "epoch": hello.epoch}})
        self.registry.goodbye(hello)

    async def policy_ack(self, hello: Hello, version: str, error: str) -> None:
        self.registry.policy_ack(hello, version, error)

    async def batch(self, hello: Hello, batch: Batch, payload: bytes) -> None:
        async with self._lock:
            now_ms = self.now_ms()
            stored = StoredBatch(hello.sidecar, hello.epoch, batch.seq, now_ms, payload)
            if not await self.stored(self.store.save_batch, stored):
                return
            if hello.sidecar != OPERATORS:
                self.registry.batch(hello, batch, now_ms)
            for rollout in self.world.active_rollouts:
                self.trackers[rollout.name].add(batch.rows, now_slot=now_ms // 1000)
            self.feedback.batch(self.world, self.trackers, batch, now_ms // 1000)

    # --- inside the lock ---

    @contextlib.asynccontextmanager
    async def _changing(self) -> AsyncIterator[int]:
        """Holds the lock and gives the time; what changed is published at the end, and told. After an error the next
        one publishes what the journal has already."""
        async with self._lock:
            yield self.now_ms()
            self.delivery.bring(self.world, self.now_ms())
            if self._decides:
                self._hooks.follow(self.world)
        async with self._changed:
            self._changed.notify_all()

    async def _tick(self) -> None:
        async with self._changing() as now_ms:
            try:
                self.publisher.tick(now_ms)
            except SnapshotError:
                log.exception("a group of proxies cannot go on; what it has stays in force")
            self.feedback.follow(self.world, now_ms // 1000)
            closed = self.registry.closed_through(now_ms)
            for rollout in self.world.active_rollouts:
                try:
                    await self._observe(rollout, closed, now_ms)
                except Exception as error:
                    # One rollout that cannot be judged must not stop the others.
                    log.exception("rollout cannot be judged", extra={"fields": {"rollout": rollout.name}})
                    if held := internal_hold(self.last.get(rollout.name), now_ms, error):
                        self._decided(rollout, held)
            for rollout, event in queue.due(self.world, now_ms):
                await self._step(rollout, event)

    async def _observe(self, rollout: Rollout, closed: int | None, now_ms: int) -> None:
        tracker = self.trackers[rollout.name]
        if closed is not None:
            tracker.close(closed)
        tracker.labels.advance(now_ms // 1000)
        sources = Sources(self.publisher, self.registry, self.signals, self.alerts)
        facts = facts_of(rollout, sources, tracker, policy=self.policy().version, now_ms=now_ms)
        await self._step(rollout, Observed(now_ms, facts))

    async def _step(self, rollout: Rollout, event: Event, acts: Sequence[Record] = ()) -> None:
        transition = advance(rollout, event)
        moved, now_ms, last = transition.state is not rollout, event.now_ms, self.last.get(rollout.name)
        if not moved and not acts and last is not None and not last.must_write(transition.decision, now_ms):
            last.decision = transition.decision
            return
        record = record_of(transition.state, now_ms, transition.decision, moved=moved)
        await self.stored(self.store.apply, transition_objects(self.world, transition, now_ms), [record, *acts])
        holds = last.holds_written if last else 0
        self._decided(rollout, LastDecision(transition.decision, now_ms, holds + (not moved)))
        log.info(transition.decision.text, extra={"fields": transition.log_fields})
        if moved:
            self._run(transition)

    def _decided(self, rollout: Rollout, last: LastDecision) -> None:
        self._exporter.count(DECISIONS, rollout.spec.service, rollout.name, last.decision.action, last.decision.code)
        self.last[rollout.name] = last

    def _run(self, transition: Transition) -> None:
        self.world = after(self.world, transition)
        for effect in transition.effects:
            if isinstance(effect, BeginAttempt):
                self._track(transition.state)
            elif isinstance(effect, BeginStep):
                self.trackers[transition.state.name].begin(effect)
        if transition.decision.action is Action.ROLLBACK:
            # The others that this tick may yet judge, and write about, are not waited for.
            self.delivery.bring(self.world, self.now_ms())

    async def _watch_secrets(self) -> None:
        """Read the secrets again and again; what has changed goes out."""
        while True:
            await asyncio.sleep(SECRETS_EVERY_S)
            try:
                read = await asyncio.to_thread(self._source.read, self.delivery.files_of(self.world))
                if self.delivery.secrets.is_news(read):
                    async with self._changing() as now_ms:
                        planned = self.delivery.plan(self.world, read, now_ms)
                        self._warn(self.delivery.take(self.world, planned, now_ms))
            except Exception:
                log.exception("secrets cannot be read again")

    def _warn(self, faults: Iterable[str]) -> None:
        for fault in faults:
            log.warning("%s", fault)

    def _track(self, rollout: Rollout) -> None:
        self.trackers[rollout.name] = tracker_of(rollout, self.world.services[rollout.spec.service].spec)
