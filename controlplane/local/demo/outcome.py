"""How an act went: the facts from both sides, what is wrong with them, and the words of the summary. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.local.demo.acts import Act
from controlplane.local.demo.tally import (
    Sent,
    StepEvent,
    Totals,
    WindowShare,
    after_rollback,
    moved_back,
    share,
    totals,
    windows,
)
from serinus.contract.weight import format_bp

PHASE_WORDS = {"promoted": "promoted to 100%", "rolled_back": "rolled back to 0%"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the control plane says of a rollout that ended, or did not: its own record."""

    phase: str
    message: str
    sentences: tuple[str, ...]
    events: tuple[StepEvent, ...]
    steps_bp: tuple[int, ...]
    started_ms: int
    ended_ms: int  # of the rollout, or when the demo gave up


@dataclass(frozen=True, slots=True)
class ActOutcome:
    """`shares`: one a weight that was in force. `candidate_requests`: exposure, until the rollout ended."""

    act: Act
    told: Told
    duration_s: float
    totals: Totals
    shares: tuple[WindowShare, ...]
    candidate_requests: int
    candidate_users: int
    moved_back: int
    after_rollback: int
    reports: tuple[str, ...] = ()


def outcome_of(act: Act, told: Told, requests: Sequence[Sent], *, until_ms: int) -> ActOutcome:
    """The facts of one act. `requests`: everything sent while it ran, up to `until_ms`."""
    verdict_ms = next((event.at_ms for event in told.events if event.reason == "worse"), until_ms)
    seen = windows(told.events, told.steps_bp, told.ended_ms)
    exposed = [sent for sent in requests if sent.version == act.candidate and sent.started_ms < told.ended_ms]
    ended_at_zero = told.phase == "rolled_back"
    return ActOutcome(
        act=act,
        told=told,
        duration_s=(told.ended_ms - told.started_ms) / 1000,
        totals=totals(requests),
        shares=tuple(share(window, requests, act.candidate) for window in seen),
        candidate_requests=len(exposed),
        candidate_users=len({sent.user for sent in exposed}),
        moved_back=moved_back(requests, act.candidate, until_ms=verdict_ms),
        after_rollback=after_rollback(requests, act.candidate, at_ms=told.ended_ms) if ended_at_zero else 0,
    )


def faults(outcome: ActOutcome) -> list[str]:
    """What did not go as it must; empty: the act is a success."""
    act, seen = outcome.act, outcome.totals
    found = []
    if outcome.told.phase != act.ends:
        found.append(f"it is {outcome.told.phase} and must be {act.ends}: {outcome.told.message}")
    if seen.failed:
        words = "; ".join(f"{count} x {why}" for why, count in seen.failures)
        found.append(f"{seen.failed} of {seen.requests} requests failed: {words}")
    if not seen.requests:
        found.append("no request was sent")
    found += [f"implausible split: {_share(each)}" for each in outcome.shares if not each.is_plausible]
    if outcome.moved_back:
        found.append(f"{outcome.moved_back} users were moved back while the weight only grew")
    if outcome.after_rollback:
        found.append(f"{outcome.after_rollback} requests reached the candidate after the rollback was in force")
    return found


def summary_rows(outcome: ActOutcome) -> list[tuple[str, str]]:
    """Label and words, for people; the same on screen and in the report."""
    act, seen, told = outcome.act, outcome.totals, outcome.told
    what = PHASE_WORDS.get(told.phase, f"not finished ({told.phase})")
    rows = [
        ("outcome", f"{act.candidate} was {what} after {outcome.duration_s:.0f} s"),
        ("requests", f"{seen.requests} by {seen.users} users, first token after {seen.ttft_ms_p50:.0f} ms (median)"),
        ("failed requests", _failed(seen)),
        ("met the candidate", f"{outcome.candidate_requests} requests of {outcome.candidate_users} users"),
        ("ended by length", _length(seen)),
        ("observed share", "; ".join(_share(each) for each in outcome.shares) or "no weight was in force"),
        ("moved back while it grew", f"{outcome.moved_back} users"),
    ]
    if act.ends == "rolled_back":
        rows.append(("on the candidate after", f"{outcome.after_rollback} requests"))
    rows.append(("why", told.message or "nothing was decided"))
    return rows


def _failed(seen: Totals) -> str:
    own = f", and {seen.models_own} that a model server itself answered with an error" if seen.models_own else ""
    why = ": " + "; ".join(f"{count} x {why}" for why, count in seen.failures) if seen.failures else ""
    return f"{seen.failed}{own}{why}"


def _length(seen: Totals) -> str:
    lengths, words = dict(seen.length_by_version), []
    for version, count in seen.by_version:
        words.append(f"{version} {100 * lengths.get(version, 0) / count:.1f}% of {count}")
    return ", ".join(words) or "no answer"


def _share(each: WindowShare) -> str:
    if not each.users:
        return f"no user at {format_bp(each.weight_bp)}"
    percent = 100 * each.on_candidate / each.users
    return f"{percent:.1f}% of {each.users} users at {format_bp(each.weight_bp)} (p = {each.p:.2g})"


def as_json(outcome: ActOutcome) -> dict[str, Any]:
    """The same facts for programs."""
    seen, told = outcome.totals, outcome.told
    return {
        "act": outcome.act.key,
        "rollout": outcome.act.rollout,
        "phase": told.phase,
        "expected_phase": outcome.act.ends,
        "ok": not faults(outcome),
        "faults": faults(outcome),
        "duration_s": round(outcome.duration_s, 1),
        "requests": seen.requests,
        "failed_requests": seen.failed,
        "model_server_errors": seen.models_own,
        "failures": [{"why": why, "count": count} for why, count in seen.failures],
        "users": seen.users,
        "ttft_ms_p50": round(seen.ttft_ms_p50, 1),
        "requests_by_version": dict(seen.by_version),
        "length_by_version": dict(seen.length_by_version),
        "candidate_requests": outcome.candidate_requests,
        "candidate_users": outcome.candidate_users,
        "observed": [
            {"weight_bp": each.weight_bp, "users": each.users, "on_candidate": each.on_candidate, "p": each.p}
            for each in outcome.shares
        ],
        "moved_back": outcome.moved_back,
        "candidate_requests_after_rollback": outcome.after_rollback,
        "why": told.message,
        "explain": list(told.sentences),
        "reports": list(outcome.reports),
    }
