"""A lane for each receiver: a task that tells it one thing after another, and tries again. No lane waits for another.

Nothing else waits for a lane: what is put into it is a value in memory, bounded. Receivers that many rollouts name have
one lane.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from controlplane.engine.hooks.calls import HookReply
from controlplane.engine.secrets import Reading, SecretSource
from controlplane.manifest.notify import BY_DEFAULT, Target, TargetKind
from controlplane.notify.alerts_out import AlertBook
from controlplane.notify.client import Sender
from controlplane.notify.message import UnusableSecretError, alerts_call, call_of, failure, where
from controlplane.notify.notice import Notice
from controlplane.notify.outbox import Outbox, backoff_s, is_refused
from controlplane.telemetry.catalogue import NOTIFICATIONS
from controlplane.telemetry.exporter import Exporter

log = logging.getLogger("serinus.notify")

# Open requests at a time, of all receivers together: hanging ones hold theirs for their timeout.
AT_ONCE = 32
# One an address in manifests; past this somebody writes addresses by program.
LANES_MAX = 1_000
OUTCOMES = ("delivered", "retried", "refused", "gave_up", "dropped")
# An Alertmanager's lane looks so often whether anything is due.
LOOK_S = 1.0


@dataclass(slots=True)
class _Lane:
    target: Target
    outbox: Outbox = field(default_factory=Outbox)
    book: AlertBook = field(default_factory=AlertBook)
    standing: tuple[Notice, ...] = ()
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    fault: str = ""
    calls: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        return self.outbox.first is None and not self.standing and self.book.is_empty


class Lanes:
    def __init__(
        self,
        sender: Sender,
        secrets: SecretSource,
        exporter: Exporter,
        now_ms: Callable[[], int],
        *,
        pause_s: Callable[[int], float] | None = None,
    ) -> None:
        """`pause_s`: after so many calls without success, instead of the usual seconds."""
        self._sender, self._secrets, self._exporter, self._now_ms = sender, secrets, exporter, now_ms
        self._pause_s = pause_s
        # A series that begins at 1 never rose: what was lost first would set off no alert.
        for kind in TargetKind:
            for outcome in OUTCOMES:
                exporter.count(NOTIFICATIONS, kind, outcome, by=0)
        self._lanes: dict[Target, _Lane] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def follow(self, targets: Collection[Target]) -> None:
        """The receivers that manifests name now; the others' lanes end when they have nothing left to tell."""
        named = {address_of(each) for each in targets}
        for address, lane in list(self._lanes.items()):
            if address not in named:
                lane.standing = ()
                if lane.is_idle and lane.task is not None:
                    lane.task.cancel()
                    del self._lanes[address]

    def put(self, target: Target, notices: Iterable[Notice]) -> None:
        """To be told, to any but an Alertmanager."""
        for notice in notices:
            lane = self._lane(target)
            dropped = lane.outbox.put(notice) if lane is not None else notice
            if dropped is not None:
                self._given_up(target, dropped, "dropped", "too many wait for it")
            if lane is not None:
                lane.wake.set()

    def stand(self, target: Target, notices: Iterable[Notice]) -> None:
        """All that an Alertmanager should see firing."""
        found = tuple(notices)
        if lane := self._lane(target, may_make=bool(found)):
            lane.standing = found
            lane.wake.set()

    def waiting(self) -> list[Notice]:
        """What receivers have yet to take."""
        return [notice for lane in self._lanes.values() for notice in lane.outbox.waiting]

    def fault(self, target: Target) -> str:
        """Why a receiver did not take the last thing that it was told; "" if it did."""
        lane = self._lanes.get(address_of(target))
        return lane.fault if lane is not None else ""

    def close(self) -> None:
        for lane in self._lanes.values():
            if lane.task is not None:
                lane.task.cancel()
        self._lanes = {}

    def _lane(self, target: Target, *, may_make: bool = True) -> _Lane | None:
        address = address_of(target)
        lane = self._lanes.get(address)
        if lane is None and may_make and len(self._lanes) < LANES_MAX:
            lane = self._lanes[address] = _Lane(address)
            work = self._alerts if target.alertmanager is not None else self._tell
            lane.task = asyncio.create_task(work(lane), name=where(target))
        return lane

    async def _tell(self, lane: _Lane) -> None:
        while True:
            notice = lane.outbox.first
            if notice is None:
                lane.wake.clear()
                await lane.wake.wait()
                continue
            if lane.outbox.is_too_old(self._now_ms()):
                self._end(lane, notice, "gave_up", lane.fault)
                continue
            reply, read = await self._attempt(lane, notice)
            if reply.is_yes:
                self._end(lane, notice, "delivered", "")
            elif is_refused(reply):
                self._end(lane, notice, "refused", failure(lane.target, reply, read))
            else:
                lane.fault = failure(lane.target, reply, read)
                jittered = lane.outbox.failed(random.random())
                await self._pause(lane, lane.outbox.calls, jittered)

    async def _alerts(self, lane: _Lane) -> None:
        while True:
            lane.wake.clear()
            standing, now_ms = lane.standing, self._now_ms()
            if body := lane.book.due(standing, now_ms):
                reply, read = await self._attempt(lane, body)
                if reply.is_yes:
                    lane.book.taken(standing, now_ms)
                    lane.fault, lane.calls = "", 0
                    self._count(lane.target, "delivered")
                else:
                    lane.fault, lane.calls = failure(lane.target, reply, read), lane.calls + 1
                    await self._pause(lane, lane.calls, backoff_s(lane.calls) * random.uniform(0.5, 1.0))
                    continue
            try:
                async with asyncio.timeout(LOOK_S):
                    await lane.wake.wait()
            except TimeoutError:
                continue

    async def _attempt(self, lane: _Lane, what: Notice | bytes) -> tuple[HookReply, Reading]:
        """Secrets are read anew each time: a renewed file counts at once."""
        files = lane.target.files
        read = await asyncio.to_thread(self._secrets.read, files) if files else Reading()
        try:
            call = (
                alerts_call(lane.target, what, read)
                if isinstance(what, bytes)
                else call_of(lane.target, what, read, now_s=self._now_ms() // 1000)
            )
        except UnusableSecretError as error:
            return HookReply(0, str(error)), read
        async with self._gate:
            return await self._sender.send(call), read

    async def _pause(self, lane: _Lane, calls: int, pause_s: float) -> None:
        self._count(lane.target, "retried")
        log.warning("%s; it is tried again", lane.fault, extra={"fields": {"calls": calls}})
        await asyncio.sleep(self._pause_s(calls) if self._pause_s is not None else pause_s)

    def _end(self, lane: _Lane, notice: Notice, outcome: str, fault: str) -> None:
        lane.outbox.done()
        lane.fault = fault
        if outcome == "delivered":
            self._count(lane.target, outcome)
        else:
            self._given_up(lane.target, notice, outcome, fault)

    def _given_up(self, target: Target, notice: Notice, outcome: str, fault: str) -> None:
        self._count(target, outcome)
        fields: Mapping[str, str] = {"rollout": notice.rollout, "event": notice.event, "id": notice.id}
        log.error("%s was not told: %s", where(target), fault or outcome, extra={"fields": fields})

    def _count(self, target: Target, outcome: str) -> None:
        self._exporter.count(NOTIFICATIONS, target.kind, outcome)


def address_of(target: Target) -> Target:
    """A receiver is the same whatever it is told."""
    return target.model_copy(update={"on": BY_DEFAULT})
