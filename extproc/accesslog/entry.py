"""One access-log entry as a value, and the Outcome that it and the observed body make together."""

from dataclasses import dataclass

from extproc.aggregate.slot import Outcome
from extproc.outcome.classify import LIMITED_FLAG, TOLD_BY_BODY, Ending, classify, classify_running
from extproc.outcome.observation import Observation
from serinus.contract.arm import Arm
from serinus.contract.headers import COHORT_UNTAGGED
from serinus.contract.metric import EITHER, STREAMS, WHOLE, Measures
from serinus.contract.weight import CLASS_NONE, arm_of_bucket

_NO_CLUSTER_FLAG = "NC"


@dataclass(slots=True)
class Entry:
    """What Envoy wrote at the end of one request of a service, or while it `is_running`. Treated as frozen.

    From route metadata: `service`, `rollout` ("" none), `snapshot`, `weight_class` and the candidate's `weight_bp` in
    it, `candidate`, `baseline`. From cluster metadata: `version` ("" when no cluster was reached). From the sidecar's
    own tag: `bucket`, `cohort`, `key_hash`, `pin`, None when untagged, and `slices`. `ttfb_us` is the time to the
    upstream's response headers, `body_us` to its body, `finished_us` to its last byte. `is_sampled`: the proxy has
    picked the response to be looked at; it picks only of services that are looked at by sample.
    """

    service: str
    rollout: str
    snapshot: str
    weight_bp: int
    weight_class: str
    candidate: str
    baseline: str
    version: str
    start_us: int
    duration_us: int
    bucket: int | None
    cohort: str | None
    key_hash: int | None
    pin: str | None
    ending: Ending
    attempts: int
    request_id: str
    ttfb_us: int | None
    body_us: int | None = None
    finished_us: int | None = None
    is_running: bool = False
    is_sampled: bool = False
    slices: str = ""

    @property
    def is_randomised(self) -> bool:
        """Placed by its bucket under a rollout's weight: the only requests that are evidence.

        One that reached no cluster (Envoy answered, or the client left first) says nothing about a version, except
        when the cluster itself was missing (NC): that is the rollout's doing. One that a limit kept back (RL) names a
        cluster, but no server of it saw the request.
        """
        if LIMITED_FLAG in self.ending.flags:
            return False
        is_placed = bool(self.rollout) and self.bucket is not None and self.pin is None
        return is_placed and bool(self.version or _NO_CLUSTER_FLAG in self.ending.flags)

    @property
    def ttft_us(self) -> int | None:
        """Headers come early: of a streaming model server 9-60 times earlier than the first token."""
        return self.body_us if self.body_us is not None else self.ttfb_us

    @property
    def may_have_body(self) -> bool:
        """Whether an observation of the body could change the outcome."""
        return self.ending.code in TOLD_BY_BODY


def form_of(entry: Entry, observation: Observation | None) -> str:
    """Whether the answer, which was to be observed, came piece by piece: one of `contract.metric.FORMS`."""
    if entry.is_running:
        return EITHER
    if not entry.may_have_body:
        return WHOLE  # no model streams under another code than 200
    if observation is None or not observation.observable:
        return EITHER
    return STREAMS if observation.is_stream else WHOLE


def outcome_of(entry: Entry, observation: Observation | None, *, is_observed: bool = False) -> Outcome:
    """The outcome of one request; `is_observed`: its body was to be observed, whether `observation` came or not. A
    randomised request whose cluster was missing counts for the arm of its bucket."""
    version, is_mismatch = entry.version, False
    if entry.bucket is not None and entry.is_randomised:
        arm = arm_of_bucket(entry.bucket, entry.weight_bp)
        intended = entry.candidate if arm is Arm.CANDIDATE else entry.baseline
        is_mismatch = bool(version) and version != intended
        version = version or intended
    seen = observation is not None and observation.observable
    outcome_class = (
        classify_running(entry.ending, has_first_byte=entry.ttft_us is not None)
        if entry.is_running
        else classify(entry.ending, observation)
    )
    ttft_us = entry.ttft_us
    measures: Measures = ()
    if observation is not None:
        ttft_us, measures = observation.sizes(entry.start_us, entry.ttft_us, entry.finished_us)
    return Outcome(
        service=entry.service,
        rollout=entry.rollout,
        snapshot=entry.snapshot,
        weight_bp=entry.weight_bp,
        weight_class=entry.weight_class if entry.is_randomised else CLASS_NONE,
        cohort=entry.cohort or COHORT_UNTAGGED,
        version=version,
        start_us=entry.start_us,
        duration_us=entry.duration_us,
        key_hash=entry.key_hash,
        is_routing_mismatch=is_mismatch,
        outcome_class=outcome_class,
        # Of an API without a finish no share of finishes is told, and none of a refusal.
        finish_reason=(observation.finish_reason or None)
        if observation is not None and seen and entry.ending.code == 200
        else None,
        ttft_us=ttft_us,
        measures=measures,
        slices=entry.slices if entry.is_randomised else "",  # no evidence, no rows apart
        form=form_of(entry, observation) if is_observed else "",
    )
