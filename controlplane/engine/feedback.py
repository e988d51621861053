"""Feedback as the engine takes it: an id is held against what was in force, what was said goes to the rollout's labels.

The same for what sidecars send and for what comes by the admin API: both are stored as batches first, and both are
taken in from there, so a restarted control plane comes to the same counts and evidence. Mutable, bounded, no clock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.routing import service_route
from controlplane.engine.world import Service, World
from controlplane.feedback.errors import BadFeedbackError, ForgedRequestError, TooOldError, UnknownRequestError
from controlplane.feedback.ledger import Arms, Place, SnapshotLedger
from controlplane.ingest.rows import Batch, Row
from serinus.contract.feedback import (
    AGE_S_MAX,
    Feedback,
    Said,
    checked,
    is_ahead,
    is_too_old,
    request_of,
    service_code,
)

# What was said of a request counts once: so many are remembered, the oldest go first. The judge remembers its own.
REMEMBERED_MAX = 100_000
EVIDENCE, NO_EVIDENCE, REPEATED, FORGED, TOO_OLD = "evidence", "no_evidence", "repeated", "forged", "too_old"
OTHER = "other"
# In place of a sidecar's id: stored like a batch of one. `@` begins no id of a proxy.
OPERATORS = "@operators"


@dataclass(slots=True)
class FeedbackDesk:
    """`key`: of the installation; it signs the ids. `counts`: by service, version, kind and result."""

    key: bytes = field(default=b"", repr=False)
    counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    _ledger: SnapshotLedger = field(default_factory=SnapshotLedger)
    _known: dict[tuple[int, str], None] = field(default_factory=dict)
    _world: World = field(default_factory=World)
    _asked: dict[str, Service] = field(default_factory=dict)  # the services whose answers carry ids
    _has_begun: bool = False

    def follow(self, world: World, now_s: int) -> None:
        """What is in force now; to be said before anything else. The first time nobody knows since when."""
        if world is self._world:
            return
        since_s, self._world, self._has_begun = now_s if self._has_begun else 0, world, True
        self._asked = {name: one for name, one in world.services.items() if one.spec.feedback is not None}
        self._ledger.keep(self._asked)
        for service in self._asked.values():
            self._ledger.in_force(service_route(world, service), since_s)

    def learn(self, rows: Iterable[Row]) -> None:
        """What sidecars report of the snapshots that routed requests."""
        for row in rows if self._asked else ():
            if row.service in self._asked:
                self._ledger.learn(
                    row.service,
                    row.snapshot,
                    rollout=row.rollout,
                    cohort=row.cohort,
                    weight_class=row.weight_class,
                    weight_bp=row.weight_bp,
                    slot=row.slot,
                )

    @property
    def is_asked(self) -> bool:
        return bool(self._asked)

    def batch(self, world: World, trackers: Mapping[str, EvidenceTracker], batch: Batch, now_s: int) -> None:
        """One that is stored now."""
        self.follow(world, now_s)
        self.learn(batch.rows)
        self.take(trackers, batch.feedback, now_s)

    def read(self, text: str, said: Said, now_s: int) -> tuple[Feedback, Place]:
        """What an operator says of a request. Raises UnknownRequestError, TooOldError, ForgedRequestError,
        BadFeedbackError; nothing has changed then."""
        try:
            checked(said)
        except ValueError as error:
            raise BadFeedbackError(str(error)) from None
        request = request_of(self.key, text)
        services = {service_code(name): name for name in self._asked}
        if request is None or request.service not in services or is_ahead(request.start_s, now_s):
            raise UnknownRequestError(
                "no request of this installation has that id",
                next_step="send the answer's header x-serinus-request-id, of a service with `feedback: true`",
            )
        if is_too_old(request.start_s, now_s):
            days = AGE_S_MAX // 86_400
            raise TooOldError(f"the request is older than {days} days, and part of no rollout any more")
        feedback = Feedback(services[request.service], request, said)
        return feedback, self._place(feedback)

    def take(self, trackers: Mapping[str, EvidenceTracker], told: Sequence[Feedback], now_s: int) -> None:
        """What was stored. Of one that cannot be, the count says why."""
        for tracker in trackers.values() if told else ():
            tracker.labels.advance(now_s)
        for feedback in told:
            result, version = self._taken(trackers, feedback, now_s)
            service = feedback.service if feedback.service in self._world.services else OTHER
            for kind in feedback.said.kinds:
                is_new = result not in (EVIDENCE, NO_EVIDENCE) or self._is_new(
                    feedback.request.request, kind, feedback.said
                )
                self.counts[(service, version, kind, result if is_new else REPEATED)] += 1

    def _taken(self, trackers: Mapping[str, EvidenceTracker], feedback: Feedback, now_s: int) -> tuple[str, str]:
        """What came of it, and the version that it was said of."""
        if is_too_old(feedback.request.start_s, now_s):
            return TOO_OLD, OTHER
        try:
            place = self._place(feedback)
        except ForgedRequestError:
            return FORGED, OTHER
        tracker = trackers.get(place.rollout) if self._world.running(place.rollout) is not None else None
        is_evidence = tracker is not None and tracker.labels.take(place.asked, feedback.said, now_s)
        return EVIDENCE if is_evidence else NO_EVIDENCE, feedback.request.version

    def _place(self, feedback: Feedback) -> Place:
        world = self._world
        service = world.services.get(feedback.service)
        if service is None:
            raise ForgedRequestError(f"service {feedback.service} is gone")

        def arms(name: str) -> Arms | None:
            entry = world.rollouts.get(name)
            return (entry.rollout.baseline, entry.rollout.spec.candidate) if entry is not None else None

        versions = {version.name for version in service.spec.versions}
        return self._ledger.place(feedback.service, feedback.request, versions=versions, arms=arms)

    def _is_new(self, request: int, kind: str, said: Said) -> bool:
        """Whether it was not said before; from now on it was. Clicked and bought are two."""
        key = (request, f"{kind}:{said.event if kind == 'event' else said.metric if kind == 'score' else ''}")
        if key in self._known:
            return False
        if len(self._known) >= REMEMBERED_MAX:
            del self._known[next(iter(self._known))]
        self._known[key] = None
        return True
