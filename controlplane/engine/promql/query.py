"""What a Prometheus answered, and whether a rollout may go on by it. Pure; an answer that is missing holds."""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass

from controlplane.manifest.promql import PromQuery
from controlplane.rollout.events import QueriesFact
from controlplane.rollout.model import Rollout

# Series of one answer: a guardrail asks for a few.
SERIES_MAX = 1_000
TEXT_CHARS_MAX = 200
# An answer is good until two more should have come, and the time that each may take.
TIMEOUT_MS = 10_000

Key = tuple[str, str]  # rollout, query


@dataclass(frozen=True, slots=True)
class Reply:
    """`fault` "": these are the values of all series."""

    values: tuple[float, ...] = ()
    fault: str = ""


def reply_of(status: int, body: bytes) -> Reply:
    """Of `/api/v1/query`. Nothing, NaN and what is no answer are faults."""
    try:
        told = json.loads(body)
        if status != 200 or told["status"] != "success":
            return Reply(fault=f"it answered {status}: {_shown(str(told.get('error', '')))}".rstrip(": "))
        result = told["data"]["result"]
        rows = [result] if told["data"]["resultType"] == "scalar" else [row["value"] for row in result]
        values = tuple(float(value) for _, value in rows[: SERIES_MAX + 1])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Reply(fault=f"it answered {status}, and no vector or scalar")
    if not values:
        return Reply(fault="the answer has no series")
    if len(values) > SERIES_MAX:
        return Reply(fault=f"the answer has more than {SERIES_MAX} series")
    return Reply(fault="the answer is not a number") if any(map(math.isnan, values)) else Reply(values)


class QueryBook:
    """The newest reply of each query. Mutable, bounded by what is followed, no clock."""

    def __init__(self) -> None:
        self._replies: dict[Key, tuple[int, Reply]] = {}
        self._faults: dict[Key, str] = {}

    def follow(self, keys: Collection[Key]) -> None:
        """Of others nothing is remembered."""
        wanted = set(keys)
        self._replies = {key: reply for key, reply in self._replies.items() if key in wanted}
        self._faults = {key: fault for key, fault in self._faults.items() if key in wanted}

    def add(self, key: Key, reply: Reply, now_ms: int) -> None:
        """A fault leaves the last good reply, until that is too old."""
        self._faults[key] = reply.fault
        if not reply.fault:
            self._replies[key] = now_ms, reply

    def fact(self, rollout: Rollout, now_ms: int) -> QueriesFact:
        beyond, missing = [], []
        for query in rollout.spec.promql:
            at_ms, reply = self._replies.get((rollout.name, query.name), (0, None))
            if reply is None or now_ms - at_ms > 3 * query.every_ms + TIMEOUT_MS:
                fault = self._faults.get((rollout.name, query.name), "")
                missing.append(f"query {query.name} has no answer" + (f": {fault}" if fault else " yet"))
            elif words := _beyond(query, reply):
                beyond.append(words)
        return QueriesFact("; ".join(beyond), "; ".join(missing))


def _beyond(query: PromQuery, reply: Reply) -> str:
    low, high = min(reply.values), max(reply.values)
    if query.max is not None and high > query.max:
        return f"query {query.name} is {high:.4g}, above {query.max:.4g}"
    if query.min is not None and low < query.min:
        return f"query {query.name} is {low:.4g}, below {query.min:.4g}"
    return ""


def _shown(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:TEXT_CHARS_MAX]
