"""Why a rollout may not advance: each reason with its numbers. Missing data holds; it never rolls back or promotes."""

from dataclasses import dataclass

from controlplane.evidence.verdict import Verdict
from controlplane.manifest.schema import RolloutSpec
from controlplane.manifest.units import in_time
from controlplane.rollout.events import Facts
from controlplane.rollout.model import Baking, Observing, Phase, next_weight_bp, since_ms_of
from serinus.contract.weight import format_bp

# Above one request in a hundred without a tag or without its log entry, what was seen may be a biased sample; below
# it the worst case shifts a rate by less than the smallest harm budget in use (0.25 % of traffic needs 1 in 400, but
# the loss hits both arms alike: it is the sidecar's, not a version's).
UNSEEN_SHARE_MAX = 0.01
# A gap of fewer requests than this says nothing about a share.
UNSEEN_REQUESTS_MIN = 2
# A thousand proxies that reject one thing say it in the same words.
REJECTIONS_SHOWN_MAX = 5
# Slewing moves a clock by milliseconds; a second backwards is a step.
CLOCK_BACK_MS_MAX = 1_000
# Outcomes that must have been seen under a weight before its step counts as started.
ROUTED_OUTCOMES_MIN = 1


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing moves. `code` is stable, for metrics and programs; `text` is a sentence for people."""

    code: str
    text: str


def fleet_hold(facts: Facts) -> Hold | None:
    """The proxies must be there and have accepted what is in force."""
    fleet = facts.fleet
    if fleet.rejections:
        shown = "; ".join(fleet.rejections[:REJECTIONS_SHOWN_MAX])
        more = len(fleet.rejections) - REJECTIONS_SHOWN_MAX
        return Hold(
            "proxy_rejected",
            f"a proxy rejected the configuration: {shown}" + (f"; and {more} more" if more > 0 else ""),
        )
    if fleet.duplicates:
        return Hold(
            "duplicate_node",
            f"two proxies have come under one node id: {', '.join(fleet.duplicates[:5])}; "
            "next: give every Envoy a node.id of its own",
        )
    if fleet.connected == 0:
        return Hold("no_proxy", "no proxy is connected")
    if fleet.warming:
        return Hold(
            "waiting_for_proxies",
            f"waiting for {len(fleet.waiting)} of {fleet.connected} proxies to warm {', '.join(fleet.warming)}: "
            f"{', '.join(fleet.waiting[:5])}",
        )
    if fleet.waiting:
        return Hold(
            "waiting_for_proxies",
            f"waiting for {len(fleet.waiting)} of {fleet.connected} proxies to accept: {', '.join(fleet.waiting[:5])}",
        )
    return None


def sidecar_hold(facts: Facts) -> Hold | None:
    """The sidecars must be there, speak, and have accepted the cohort policy in force."""
    sidecars = facts.sidecars
    if sidecars.rejections:
        return Hold("sidecar_rejected", f"a sidecar refused the cohort policy: {'; '.join(sidecars.rejections)}")
    if sidecars.silent:
        return Hold("sidecar_silent", f"no report from sidecar {', '.join(sidecars.silent[:5])}: outcomes are missing")
    if sidecars.connected == 0:
        return Hold("no_sidecar", "no sidecar is connected: there are no outcomes to judge")
    if sidecars.ahead:
        told = ", ".join(f"{node} by {ahead_s} s" for node, ahead_s in sidecars.ahead[:5])
        return Hold(
            "sidecar_clock",
            f"the clock is ahead at sidecar {told}: what it reports is no evidence; next: set the clocks by NTP",
        )
    if sidecars.waiting:
        return Hold(
            "waiting_for_sidecars", f"waiting for sidecar {', '.join(sidecars.waiting[:5])} to take the cohort policy"
        )
    return None


def health_hold(facts: Facts, candidate: str) -> Hold | None:
    """Every proxy must see at least one healthy endpoint of the candidate."""
    if not facts.health.seen_by:
        return Hold("candidate_health_unknown", f"no proxy has reported the health of {candidate} yet")
    for node, healthy, endpoints in facts.health.seen_by:
        if healthy == 0:
            return Hold(
                "candidate_unhealthy",
                f"{candidate}: 0 of {endpoints} endpoints healthy as seen by proxy {node}; "
                "next: check that its servers run and answer their health check",
            )
    return None


def capacity_hold(facts: Facts, spec: RolloutSpec) -> Hold | None:
    """The candidate's servers must have room for more, where the plan asks for that. Never a rollback: a full server
    says nothing about the version on it. Where nobody is asked (any more) the cap would hold nothing, so that holds."""
    cap, seen = spec.capacity, facts.servers
    if cap is None:
        return None
    if cap.kv_cache_bp is not None and (seen.cache_peak or 0.0) > cap.kv_cache_bp / 10_000:
        return Hold(
            "capacity",
            f"no room: a server of {spec.candidate} has {seen.cache_peak:.0%} of its KV cache in use, above "
            f"{format_bp(cap.kv_cache_bp)}; next: add servers, or wait",
        )
    if cap.queue is not None and (seen.queue_peak or 0.0) > cap.queue:
        return Hold(
            "capacity",
            f"no room: {seen.queue_peak:.0f} requests wait at a server of {spec.candidate}, above {cap.queue}; "
            "next: add servers, or wait",
        )
    missing = [
        what
        for what, limit, peak in (
            ("KV cache", cap.kv_cache_bp, seen.cache_peak),
            ("queue", cap.queue, seen.queue_peak),
        )
        if limit is not None and peak is None
    ]
    if missing and (cap.missing_holds or not seen.asked):
        return Hold(
            "capacity_unknown",
            f"the {' and '.join(missing)} of {spec.candidate} cannot be seen: {seen.answering} of {seen.asked} sources "
            "answer; next: check `metrics` of the version, or take hold_on_missing out",
        )
    return None


def data_hold(facts: Facts) -> Hold | None:
    """Envoy's counters must account for (nearly) every request: tagged, and its log entry received."""
    data = facts.data
    if data.unreadable:
        return Hold(
            "counters_unreadable",
            f"Envoy's counters cannot be read beside {', '.join(data.unreadable[:5])}: "
            "unseen requests cannot be ruled out",
        )
    requests = data.answered + data.untagged
    if data.untagged >= UNSEEN_REQUESTS_MIN and data.untagged > UNSEEN_SHARE_MAX * requests:
        return Hold(
            "untagged_requests",
            f"data quality: {data.untagged} of {requests} requests of the last {data.window_s} s "
            "went untagged (sidecar away or too slow)",
        )
    if data.logs_lost >= UNSEEN_REQUESTS_MIN and data.logs_lost > UNSEEN_SHARE_MAX * max(1, data.logs_written):
        return Hold(
            "lost_log_entries",
            f"data quality: {data.logs_lost} of {data.logs_written} log entries "
            f"of the last {data.window_s} s were lost",
        )
    return None


def routing_hold(facts: Facts, weight_bp: int) -> Hold | None:
    """The split must have been seen, and every tagged request must have gone where its bucket says."""
    routing = facts.routing
    if routing.mismatches:
        return Hold(
            "routing_fault",
            f"routing fault: {routing.mismatches} tagged requests went to a version their bucket does not belong to",
        )
    if not routing.share_plausible:
        return Hold("routing_fault", f"routing fault: {routing.share_text}")
    if routing.outcomes < ROUTED_OUTCOMES_MIN:
        return Hold("no_outcomes", f"no outcome has been seen yet under weight {format_bp(weight_bp)}")
    return None


def advance_hold(phase: Observing, spec: RolloutSpec, facts: Facts, now_ms: int) -> Hold | None:
    """Everything that must be true before a step ends: never time alone, never evidence alone."""
    weight_bp = spec.weights_bp[phase.step_index]
    held = fleet_hold(facts) or sidecar_hold(facts) or data_hold(facts) or routing_hold(facts, weight_bp)
    if held:
        return held
    dwelt_ms = now_ms - phase.entered_at_ms
    if not phase.dwell_waived and dwelt_ms < spec.pace.min_step_ms:
        left_s = -(-(spec.pace.min_step_ms - dwelt_ms) // 1000)
        return Hold("min_step", f"minimum time at {format_bp(weight_bp)}: {left_s} s left")
    if next_weight_bp(spec, phase.step_index) is None:
        return None
    held = health_hold(facts, spec.candidate) or capacity_hold(facts, spec)
    if held:
        return held
    evidence = facts.evidence
    if spec.diagnostics.hold and evidence.doubt:
        return Hold("diagnostic", evidence.doubt)
    if evidence.step_index != phase.step_index:
        return Hold("evidence_pending", "the first seconds of this step are not judged yet: requests may still finish")
    if evidence.verdict is not Verdict.GOOD_ENOUGH:
        return Hold("thin_evidence", evidence.sentence or "not enough evidence yet")
    return None


def bake_hold(phase: Baking, spec: RolloutSpec, facts: Facts, now_ms: int) -> Hold | None:
    """A bake ends when its time is over and everything that shows a fault is there: what nobody saw did not bake."""
    assert spec.bake is not None, "only a plan with a bake gets there"
    held = fleet_hold(facts) or sidecar_hold(facts) or data_hold(facts)
    held = held or routing_hold(facts, spec.weights_bp[phase.step_index]) or health_hold(facts, spec.candidate)
    if held:
        return held
    left_ms = phase.entered_at_ms + spec.bake.for_ms - now_ms
    if left_ms > 0 and not phase.dwell_waived:
        return Hold("bake", f"bakes: {in_time(-(-left_ms // 1000))} left, no evidence that {spec.candidate} is worse")
    return None


def clock_hold(phase: Phase, now_ms: int) -> Hold | None:
    """A clock that went back says nothing about how long a phase has lasted, nor which freeze is on."""
    back_ms = since_ms_of(phase) - now_ms
    if back_ms <= CLOCK_BACK_MS_MAX:
        return None
    return Hold(
        "clock_back",
        f"the clock of the control plane went back: it is {in_time(back_ms / 1000)} before this phase began, "
        "and nothing advances until then; next: check its time, or serinus abort",
    )
