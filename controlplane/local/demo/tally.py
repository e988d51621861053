"""What the users of the demo saw, counted. Pure: recorded requests and the rollout's times in, facts out.

The clients know the user and the version of each answer, not the weight; the rollout's own record tells when each
weight was in force. Times are milliseconds since 1970 by this machine's clock. Users are counted, requests are not:
buckets are drawn per user, so only distinct users are independent draws (see evidence/srm.py).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controlplane.evidence.srm import P_VALUE_MIN, p_value

# A request sent this long before a weight changed may still have been routed after: it waits for the sidecar (50 ms
# at most) and, on two busy cores, for its turn.
ROUTING_DELAY_MS = 250
FAILURES_KEPT_MAX = 50


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as its client saw it. `failure` "" is success; `version` "" means no answer named one.

    `is_models_own`: the failure provably came out of the model server itself: an error frame inside a stream, or a
    whole error answer that passed through (Envoy marks those with `x-envoy-upstream-service-time`; its own have none).
    """

    started_ms: int
    user: int
    version: str
    request_id: str
    status: int
    failure: str
    ttft_ms: float | None
    duration_ms: float
    finish_reason: str
    is_models_own: bool = False
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A weight that was in force on every proxy from `begin_ms` to `end_ms`."""

    weight_bp: int
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class WindowShare:
    """Distinct users by the version they met while the weight was in force. `p`: exact two-sided binomial."""

    weight_bp: int
    users: int
    on_candidate: int
    p: float

    @property
    def is_plausible(self) -> bool:
        return self.p > P_VALUE_MIN


@dataclass(frozen=True, slots=True)
class StepEvent:
    """The parts of a decision that bound a window: its time and reason code."""

    at_ms: int
    reason: str


def windows(events: Sequence[StepEvent], steps_bp: Sequence[int], end_ms: int) -> list[Window]:
    """From "the weight is in force everywhere" (`step_started`) to the next decision that moves it."""
    found: list[Window] = []
    begin_ms: int | None = None
    for event in events:
        if event.reason == "step_started":
            begin_ms = event.at_ms
        elif begin_ms is not None and event.reason in ("good_enough", "promoted", "worse", "aborted", "deadline"):
            found.append(Window(steps_bp[min(len(found), len(steps_bp) - 1)], begin_ms, event.at_ms))
            begin_ms = None
    if begin_ms is not None:
        found.append(Window(steps_bp[min(len(found), len(steps_bp) - 1)], begin_ms, end_ms))
    return found


def share(window: Window, requests: Iterable[Sent], candidate: str) -> WindowShare:
    """A user whom both versions answered counts as two: one too many is what the check is there to see."""
    users: dict[int, set[bool]] = {}
    for sent in requests:
        if sent.version and window.begin_ms <= sent.started_ms < window.end_ms - ROUTING_DELAY_MS:
            users.setdefault(sent.user, set()).add(sent.version == candidate)
    met = sum(len(arms) for arms in users.values())
    on_candidate = sum(True in arms for arms in users.values())
    return WindowShare(window.weight_bp, met, on_candidate, p_value(on_candidate, met, window.weight_bp))


def moved_back(requests: Iterable[Sent], candidate: str, *, until_ms: int) -> int:
    """Users who met the candidate and later the baseline although the weight had only grown (before `until_ms`)."""
    met: dict[int, int] = {}
    back: set[int] = set()
    for sent in sorted(requests, key=lambda each: each.started_ms):
        if not sent.version or sent.started_ms >= until_ms - ROUTING_DELAY_MS:
            continue
        if sent.version == candidate:
            # Known to be on the candidate once the answer is there: a request sent before may overtake.
            met.setdefault(sent.user, sent.started_ms + int(sent.duration_ms))
        elif sent.user in met and sent.started_ms > met[sent.user]:
            back.add(sent.user)
    return len(back)


def after_rollback(requests: Iterable[Sent], candidate: str, *, at_ms: int) -> int:
    """Requests sent after weight 0 was in force everywhere that the candidate answered all the same."""
    return sum(sent.version == candidate and sent.started_ms > at_ms for sent in requests)


@dataclass(frozen=True, slots=True)
class Totals:
    """All requests of a time span. `failures`: (why, count), most frequent first, at most FAILURES_KEPT_MAX.

    `failed` leaves out what `models_own` counts: failures that provably came out of a model server.
    """

    requests: int
    failed: int
    models_own: int
    by_version: tuple[tuple[str, int], ...]
    failures: tuple[tuple[str, int], ...]
    length_by_version: tuple[tuple[str, int], ...]
    ttft_ms_p50: float
    users: int


def totals(requests: Sequence[Sent]) -> Totals:
    """Counts of everything sent; an empty span gives zeros."""
    failures = Counter(f"{sent.failure} ({sent.version or 'no version'})" for sent in requests if sent.failure)
    ttft_ms = sorted(sent.ttft_ms for sent in requests if sent.ttft_ms is not None)
    return Totals(
        requests=len(requests),
        failed=sum(bool(sent.failure) and not sent.is_models_own for sent in requests),
        models_own=sum(bool(sent.failure) and sent.is_models_own for sent in requests),
        by_version=tuple(sorted(Counter(sent.version for sent in requests if sent.version).items())),
        failures=tuple(failures.most_common(FAILURES_KEPT_MAX)),
        length_by_version=tuple(
            sorted(Counter(sent.version for sent in requests if sent.finish_reason == "length").items())
        ),
        ttft_ms_p50=ttft_ms[len(ttft_ms) // 2] if ttft_ms else 0.0,
        users=len({sent.user for sent in requests}),
    )
