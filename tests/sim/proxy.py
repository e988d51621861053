"""One proxy with its sidecar: a model Envoy, the real slot window, report queue and wire form."""

import random
from dataclasses import dataclass, field

from controlplane.ingest.rows import Hello
from extproc.aggregate.slot import Outcome
from extproc.aggregate.window import SlotWindow
from extproc.telemetry.catalogue import Catalogue
from extproc.uplink import wire
from extproc.uplink.queue import ReportQueue
from serinus.contract.outcome import OutcomeClass
from serinus.v1 import outcomes_pb2
from tests.sim.envoy import Envoy

USERS, FOLLOW_UP_MS = 4_000, 1_000


@dataclass
class Proxy:
    """`skew_ms` is how far its clock is ahead."""

    node: str
    number: int
    skew_ms: int
    bad_share: float
    random: random.Random
    envoy: Envoy
    epoch: int = 1
    weight_bp: int = 0
    snapshot: str = ""
    answered: int = 0
    seat: int = 0  # the control plane that its sidecar speaks to
    sent: int = 0  # the highest number that was delivered
    arms: dict[int, str] = field(default_factory=dict)
    window: SlotWindow = field(default_factory=lambda: SlotWindow(Catalogue()))
    queue: ReportQueue = field(default_factory=ReportQueue)

    @property
    def hello(self) -> Hello:
        return Hello(self.node, self.epoch, "edge")

    def take(self) -> bool:
        """What its routes do now. True: the weight went down, so users may go back."""
        runs = self.envoy.runs
        if runs is None:
            return False
        is_back, (self.weight_bp, self.snapshot) = runs[0] < self.weight_bp, runs
        return is_back

    def serve(self, now_ms: int, requests: int) -> list[tuple[int, str]]:
        """A second of traffic: (user, version) of each request."""
        seen, draw = [], self.random.random
        for _ in range(requests):
            user = int(draw() * USERS)
            version = "v2" if user * 10_000 // USERS < self.weight_bp else "v1"
            is_bad = draw() < (self.bad_share if version == "v2" else 0.02)
            outcome = Outcome(
                "chat", "chat-v2", self.snapshot, self.weight_bp, str(self.weight_bp), "everyone", version,
                (now_ms + self.skew_ms) * 1_000, 50_000, user, False,
                OutcomeClass.SERVER_ERROR if is_bad else OutcomeClass.OK,
            )  # fmt: skip
            self.window.add(outcome, FOLLOW_UP_MS)
            seen.append((user, version))
        self.answered += requests
        return seen

    def seal(self, now_ms: int) -> None:
        """The report of this second joins the queue."""
        now_ms += self.skew_ms
        sealed = self.window.take(now_ms, FOLLOW_UP_MS)
        counters = wire.ProxyCounters(self.answered, 0, self.answered, 0, (), now_ms)
        self.queue.push(lambda seq: wire.batch(seq, sealed, counters), len(sealed.rows))

    def unsent(self) -> list[outcomes_pb2.Batch]:
        found = []
        while (batch := self.queue.next_unsent()) is not None:
            found.append(outcomes_pb2.ReportRequest.FromString(batch.payload).batch)
        return found

    def restart(self) -> None:
        """kill -9 of the sidecar: what it had not reported is gone, and its numbers begin anew in a new epoch."""
        self.epoch, self.sent = self.epoch + 1, 0
        self.window, self.queue = SlotWindow(Catalogue()), ReportQueue()
