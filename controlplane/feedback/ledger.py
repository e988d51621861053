"""Which versions a bucket may have met, by snapshot: what an id says is held against it. No list of requests is kept.

What is known of a snapshot comes from two sides, and either is enough: the routes that are in force, with every class
of weight, and the rows that sidecars report, which hold what Envoy's own metadata said where a request was routed. So
a control plane that was restarted knows every snapshot that its stored batches are of. Rules held here:
- a version that the bucket cannot have met under that snapshot is forged; so is a start far from the snapshot's life;
- who was pinned, had no key, or came while no rollout ran was dealt by no weight: of them nothing is evidence.
Mutable, bounded, no clock, no I/O.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from controlplane.evidence.labels import Asked
from controlplane.feedback.errors import ForgedRequestError
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.route import service_snapshot
from controlplane.snapshot.weight_classes import class_of, everyone
from serinus.contract.arm import Arm
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.feedback import CLOCK_SKEW_S, RequestId, cohort_code
from serinus.contract.headers import COHORT_EVERYONE
from serinus.contract.weight import CLASS_NONE, arm_of_bucket

# Of one service: the steps of some rollouts, with their edits. The oldest go first.
SNAPSHOTS_MAX = 128
# Proxies that were slow to take the next snapshot go on with the one before for some seconds.
LIFE_SLACK_S = CLOCK_SKEW_S

Arms = tuple[str, str]  # baseline, candidate


@dataclass(slots=True)
class _Life:
    """Of one snapshot. `last_s` None: it is in force."""

    rollout: str
    since_s: int
    last_s: int | None
    classes: dict[int, tuple[str, int]] = field(default_factory=dict)  # code of a cohort: weight class, weight


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request was: `rollout` "" if none was in force."""

    rollout: str
    asked: Asked


class SnapshotLedger:
    """Of the services whose answers carry ids."""

    def __init__(self) -> None:
        self._lives: dict[str, dict[str, _Life]] = {}

    def in_force(self, route: ServiceRoute, now_s: int) -> None:
        """This is how the service is routed from now on. `now_s` 0: since nobody knows when."""
        snapshot, rollout = service_snapshot(route), route.rollout
        lives = self._lives.setdefault(route.name, {})
        for name, life in lives.items():
            if name != snapshot and life.last_s is None:
                life.last_s = now_s
        life = lives.setdefault(snapshot, _Life(rollout.name if rollout else "", now_s, None))
        life.last_s = None
        if rollout is not None:
            whole = everyone(route)
            life.classes[cohort_code(COHORT_EVERYONE)] = (whole.name, whole.weight_bp)
            for cohort in route.spec.cohorts:
                if (apart := class_of(route, cohort)) is not None:
                    life.classes[cohort_code(cohort.name)] = (apart.name, apart.weight_bp)
        self._forget(lives)

    def learn(
        self, service: str, snapshot: str, *, rollout: str, cohort: str, weight_class: str, weight_bp: int, slot: int
    ) -> None:
        """A row was reported."""
        lives = self._lives.setdefault(service, {})
        life = lives.get(snapshot)
        if life is None:
            life = lives[snapshot] = _Life(rollout, slot, slot)
            self._forget(lives)
        life.since_s = min(life.since_s, slot)
        if life.last_s is not None:
            life.last_s = max(life.last_s, slot)
        if weight_class != CLASS_NONE:
            life.classes[cohort_code(cohort)] = (weight_class, weight_bp)

    @staticmethod
    def _forget(lives: dict[str, _Life]) -> None:
        if len(lives) > SNAPSHOTS_MAX:
            ended = {name: life.last_s for name, life in lives.items() if life.last_s is not None}
            del lives[min(ended, key=lambda name: ended[name])]

    def keep(self, services: Collection[str]) -> None:
        """All others have gone."""
        self._lives = {name: lives for name, lives in self._lives.items() if name in services}

    def place(
        self,
        service: str,
        request: RequestId,
        *,
        versions: Collection[str],
        arms: Callable[[str], Arms | None],
    ) -> Place:
        """Where a request of a service with these versions was. `arms`: of a rollout. Raises ForgedRequestError."""
        life = self._life(service, request)
        weight_class, weight_bp = life.classes.get(request.cohort, (CLASS_NONE, 0))
        pair = arms(life.rollout) if life.rollout else None
        if not request.key or pair is None:
            weight_class, weight_bp = CLASS_NONE, 0
        if request.version not in versions and request.version not in (pair or ()):
            raise ForgedRequestError(f"service {service} has no version {request.version[:80]!r}")
        is_candidate = False
        if weight_class != CLASS_NONE and pair is not None:
            bucket = request.key % BUCKET_COUNT
            is_candidate = arm_of_bucket(bucket, weight_bp) is Arm.CANDIDATE
            if request.version != pair[is_candidate]:
                raise ForgedRequestError(
                    f"version {request.version} cannot have answered: under snapshot {request.snapshot} "
                    f"bucket {bucket} was on {pair[is_candidate]}"
                )
        asked = Asked(
            request.start_s, request.snapshot, weight_class, weight_bp, is_candidate, request.key, request.request
        )
        return Place(life.rollout, asked)

    def _life(self, service: str, request: RequestId) -> _Life:
        lives: Mapping[str, _Life] = self._lives.get(service, {})
        life = lives.get(request.snapshot)
        if life is None:
            raise ForgedRequestError(
                f"snapshot {request.snapshot[:40]!r} of service {service} is not known here",
                next_step="send the whole header; what came before the running rollout is forgotten at a restart",
            )
        is_early = request.start_s < life.since_s - LIFE_SLACK_S
        if is_early or (life.last_s is not None and request.start_s > life.last_s + LIFE_SLACK_S):
            raise ForgedRequestError(f"snapshot {request.snapshot} was not in force when the request started")
        return life
