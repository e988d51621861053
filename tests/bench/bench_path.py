"""What the request path costs: Envoy with one worker, a sidecar of its own process, loads of wrk and of single users.

Rounds go over all lanes, so that what else the machine does falls on all alike, and ratios are of one round. CPU is
what the scheduler counted for a process while wrk ran, over the requests that Envoy got a tag for in that time; so
reports, health checks and the reading of Envoy's counters are in it. Latency is of one connection that asks one
request at a time; medians of rounds, and the 99th percentile of all requests together.
"""

import asyncio
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench import go_lane, wrk
from tests.bench.lanes import GO, RULES, TAGGED, UNTAGGED, Lane, LaneSpec, lanes
from tests.bench.result import Column, Goal, Result, percentile
from tests.bench.worker import Worker

ROUNDS = 12
# wrk takes whole seconds.
LOAD_S = 1.0
CONNECTIONS = 16
PROBES = 500

BARE, OWN, GRPCIO = "bare Envoy", "tagged, own transport", "tagged, grpcio transport"
IN_GO = "tagged, a server in Go"
LOGGED, SHIPPED, NATIVE = "access log only", "tagged and logged, as shipped", "native, logged"
SPECS = (
    (BARE, LaneSpec("bare")),
    (OWN, LaneSpec("own", "own", tags=True)),
    (GRPCIO, LaneSpec("grpcio", "grpcio", tags=True)),
    (IN_GO, LaneSpec("go", GO, tags=True)),
    (LOGGED, LaneSpec("logged", "own", logs=True)),
    (SHIPPED, LaneSpec("shipped", "own", tags=True, logs=True)),
    (NATIVE, LaneSpec("native", "own", tags=True, logs=True, datapath="native")),
)
# Whose user asks one request at a time.
PROBED = (BARE, OWN, GRPCIO, IN_GO, NATIVE)


@dataclass
class _Seen:
    """Of one lane, a value a round; `took_ms`: a list a round."""

    rps: list[float] = field(default_factory=list)
    envoy_us: list[float] = field(default_factory=list)
    sidecar_us: list[float] = field(default_factory=list)
    untagged: int = 0
    failed: int = 0
    took_ms: list[list[float]] = field(default_factory=list)

    @property
    def p50_us(self) -> list[float]:
        return [percentile(took, 0.5) * 1_000 for took in self.took_ms]

    @property
    def p99_us(self) -> float | None:
        return percentile([each for took in self.took_ms for each in took], 0.99) * 1_000 if self.took_ms else None


def run(rounds: int = ROUNDS, load_s: float = LOAD_S, probes: int = PROBES) -> Result:
    """All lanes, interleaved."""
    title = f"The request path: one worker of Envoy, {len(RULES)} cohort rules, {rounds} rounds"
    if not wrk.is_there():
        goals = [Goal("all that is said of the request path", None, 0, "")]
        return Result(name="path", title=title, columns=COLUMNS, rows=[], reading=[wrk.MISSING], goals=goals)
    specs = [(name, spec) for name, spec in SPECS if name != IN_GO or go_lane.is_there()]
    seen = asyncio.run(_measured(specs, rounds, load_s, probes))
    return Result(
        name="path",
        title=title,
        columns=COLUMNS,
        rows=[_row(name, seen) for name in seen],
        reading=[
            f"throughput and CPU: wrk, {CONNECTIONS} connections, {load_s:g} s a round; every request of another user",
            f"latency: one connection, one request at a time, {probes} a round",
            "ratios and differences are of one round each: the median, and in brackets the smallest and the largest",
            "CPU of a sidecar is utime + stime of its process, over requests that got a tag (or a log entry)",
            *([] if IN_GO in seen else [go_lane.MISSING]),
        ],
        goals=_goals(seen),
    )


COLUMNS = [
    Column("lane", "lane"),
    Column("rps", "requests/s"),
    Column("of_bare", "% of bare"),
    Column("envoy_us", "Envoy CPU µs"),
    Column("sidecar_us", "sidecar CPU µs"),
    Column("p50_us", "p50 µs"),
    Column("added_us", "added p50 µs"),
    Column("p99_us", "p99 µs"),
    Column("untagged", "untagged"),
    Column("failed", "failed"),
]


async def _measured(specs: Sequence[tuple[str, LaneSpec]], rounds: int, load_s: float, probes: int) -> dict[str, _Seen]:
    seen = {name: _Seen() for name, _ in specs}
    probe = await Worker.start("tests.bench.probe")
    async with lanes([spec for _, spec in specs]) as running:
        by_name = dict(zip(seen, running, strict=True))
        for number in range(rounds + 1):
            for name in _turned(list(seen), number):
                # The first round warms up: caches, connections, the branch predictor.
                into = seen[name] if number else _Seen()
                await _load(by_name[name], load_s if number else 1.0, into)
            for name in _turned([name for name in PROBED if name in seen], number):
                asked = await probe.ask("probe", port=by_name[name].port, count=probes, first=number * probes)
                if number:
                    seen[name].took_ms.append(asked["took_ms"])
    await probe.stop()
    return seen


def _turned(names: list[str], by: int) -> list[str]:
    by %= len(names)
    return names[by:] + names[:by]


async def _load(lane: Lane, load_s: float, seen: _Seen) -> None:
    before = await lane.stats()
    saw = await wrk.load(lane.port, connections=CONNECTIONS, duration_s=load_s)
    after = await lane.stats()

    def more(name: str) -> int:
        return after.get(name, 0) - before.get(name, 0)

    requests = int(saw["requests"])
    asked = more(TAGGED) if lane.spec.asks else requests
    seen.rps.append(requests / saw["duration_us"] * 1e6)
    seen.envoy_us.append(more("envoy_ns") / requests / 1_000)
    seen.sidecar_us.append(more("sidecar_ns") / max(1, asked) / 1_000)
    seen.untagged += more(UNTAGGED)
    seen.failed += int(saw["failed"])


def _row(name: str, seen: dict[str, _Seen]) -> dict[str, Any]:
    lane, bare = seen[name], seen[LOGGED if name == NATIVE else BARE]
    row: dict[str, Any] = {
        "lane": name,
        "rps": statistics.median(lane.rps),
        "of_bare": _spread(_pairs(lane.rps, bare.rps, lambda one, other: one / other * 100)),
        "envoy_us": statistics.median(lane.envoy_us),
        "sidecar_us": statistics.median(lane.sidecar_us) if any(lane.sidecar_us) else None,
        "untagged": lane.untagged,
        "failed": lane.failed,
    }
    if lane.took_ms:
        added = _pairs(lane.p50_us, seen[BARE].p50_us, lambda one, other: one - other)
        row |= {"p50_us": statistics.median(lane.p50_us), "p99_us": lane.p99_us, "added_us": _spread(added)}
    return row


def _pairs(one: Sequence[float], other: Sequence[float], of: Callable[[float, float], float]) -> list[float]:
    return [of(left, right) for left, right in zip(one, other, strict=True)]


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def _goals(seen: dict[str, _Seen]) -> list[Goal]:
    bare, own, grpcio = seen[BARE], seen[OWN], seen[GRPCIO]
    added_own = _pairs(own.p50_us, bare.p50_us, lambda one, other: one - other)
    added_grpcio = _pairs(grpcio.p50_us, bare.p50_us, lambda one, other: one - other)
    p99_ratio = (own.p99_us or math.nan) / (bare.p99_us or math.nan)
    of_go = (
        [_ratio("the same, of a server in Go", own.sidecar_us, seen[IN_GO].sidecar_us, 100)] if IN_GO in seen else []
    )
    return [
        Goal("sidecar CPU per tagged request", statistics.median(own.sidecar_us), 20, "µs"),
        _ratio("the same, of the grpcio transport's", own.sidecar_us, grpcio.sidecar_us, 10),
        *of_go,
        Goal("added latency, p50", statistics.median(added_own), 150, "µs"),
        _ratio("the same, of the grpcio transport's", added_own, added_grpcio, 25),
        Goal("p99 over bare Envoy's", p99_ratio, 5, "times"),
        _loss("throughput lost by tagging", own, bare, 55),
        _loss("throughput lost by the native data path, against the same access log", seen[NATIVE], seen[LOGGED], 3),
    ]


def _ratio(text: str, one: Sequence[float], other: Sequence[float], at_most: float) -> Goal:
    return Goal(text, statistics.median(_pairs(one, other, lambda left, right: left / right * 100)), at_most, "%")


def _loss(text: str, lane: _Seen, bare: _Seen, at_most: float) -> Goal:
    return Goal(
        text, statistics.median(_pairs(lane.rps, bare.rps, lambda one, other: (1 - one / other) * 100)), at_most, "%"
    )
