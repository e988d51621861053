"""What cohort rules cost a request in the sidecar: CPU of the compiled policy alone, no transport, no parsing.

Budgets: 100 rules cost at most 5 us more than one; a look into a list of 1,000,000 ids about 1 us, at 8 MB. The request
has the three headers that a tagging proxy would send, and meets no rule, the dearest case for a policy
that tried its rules in order. `python -m tests.bench.bench_policy` prints a JSON line a row.
"""

import gc
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.files import FileNames
from extproc.cohort.runner import PolicyFolder
from serinus.contract.condition import AllOf, AnyOf, Condition, Not, Op, ShareTest, Source, TextTest
from serinus.contract.policy import CohortRule, ServicePolicy, evaluate
from serinus.contract.request import StickyKind, StickySource

RULES = (0, 1, 10, 100)
ROUNDS, CALLS = 15, 4_000
IDS = 1_000_000
REQUEST = {"x-user-id": [b"user-4711"], "x-team": [b"team-none"], "x-region": [b"eu-central-1"]}
STICKY = (StickySource(StickyKind.HEADER, "x-user-id"),)
Form = Callable[[int], Condition]


def _header(name: str, op: Op, *operands: str) -> TextTest:
    return TextTest(Source.HEADER, name, op, operands)


FORMS: Mapping[str, Form] = {
    "header exact": lambda n: _header("x-team", Op.EXACT, f"team-{n}"),
    "header exact, a header a rule": lambda n: _header(f"x-h{n}", Op.EXACT, "1"),
    "header in (10 values)": lambda n: _header("x-team", Op.IN, *(f"team-{n}-{each}" for each in range(10))),
    "header prefix": lambda n: _header("x-region", Op.PREFIX, f"us-{n}-"),
    "any of exact and prefix": lambda n: AnyOf(
        (_header("x-team", Op.EXACT, f"team-{n}"), _header("x-region", Op.PREFIX, f"us-{n}-"))
    ),
    "exact and a share": lambda n: AllOf((_header("x-team", Op.EXACT, f"team-{n}"), ShareTest(100, f"cohort/{n}"))),
    "tried one by one: regex": lambda n: _header("x-region", Op.REGEX, f"us-{n}-.*"),
    "tried one by one: not exact": lambda _: AllOf((Not(_header("x-team", Op.EXACT, "team-none")), ShareTest(1, "s"))),
}


def run() -> dict[str, Any]:
    """All forms, then the list."""
    return {
        "name": "cohort policy",
        "unit": "CPU us a request, median of rounds; the spread is between quartiles",
        "rows": [*(_row(name, form) for name, form in FORMS.items()), _list_row()],
    }


def _policy(form: Form, count: int) -> CompiledPolicy:
    rules = tuple(CohortRule(f"c{number}", form(number), "v2") for number in range(count))
    return CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, rules))


def _row(name: str, form: Form) -> dict[str, Any]:
    policies = {count: _policy(form, count) for count in RULES}
    times: dict[int, list[float]] = {count: [] for count in RULES}
    for _ in range(ROUNDS):
        for count, policy in policies.items():
            times[count].append(_us(lambda policy=policy: policy.evaluate(REQUEST, 0)))  # type: ignore[misc]
    medians = {count: statistics.median(each) for count, each in times.items()}
    low, _, high = statistics.quantiles(times[100], n=4)
    reference = policies[100].policy
    row: dict[str, Any] = {"rules are": name}
    row |= {f"rules_{count}_us": round(value, 2) for count, value in medians.items()}
    row["rules_100_spread_us"] = round(high - low, 2)
    row["100_over_1_us"] = round(medians[100] - medians[1], 2)
    if "regex" not in name:
        row["reference_100_us"] = round(_us(lambda: evaluate(reference, lambda key: REQUEST.get(key, ())), 200), 1)
    return row


def _us(call: Callable[[], object], calls: int = CALLS) -> float:
    gc.disable()
    began = time.process_time_ns()
    for _ in range(calls):
        call()
    spent = time.process_time_ns() - began
    gc.enable()
    return spent / calls / 1_000


def _list_row() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "ids").open("w") as file:
            file.writelines(f"user-{number}@example.com\n" for number in range(IDS))
        before_mb, began = _rss_mb(), time.process_time()
        ids = PolicyFolder(Path(folder), seed=1).load(FileNames(lists=frozenset({"ids"}))).lists["ids"]
        loaded_s, after_mb, peak_mb = time.process_time() - began, _rss_mb(), _peak_mb()
    users: Sequence[bytes] = [b"user-%d@example.com" % (number * 37 % (2 * IDS)) for number in range(CALLS)]
    looks = [_us(lambda: [user in ids for user in users], 1) / CALLS for _ in range(ROUNDS)]
    return {
        "rules are": f"one list of {ids.count} ids",
        "load_s": round(loaded_s, 2),
        "rss_more_mb": round(after_mb - before_mb, 1),
        "rss_peak_more_mb": round(peak_mb - before_mb, 1),
        "look_us": round(statistics.median(looks), 2),
    }


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    for each in run()["rows"]:
        print(json.dumps(each))
