"""What cohort rules cost a request in the sidecar: CPU of the compiled policy alone, no transport, no parsing.

Budgets: 100 rules cost at most 5 us more than one; a look into a list of 1,000,000 ids about 1 us, at 8 MB. The request
has what a tagging proxy would send, and meets no rule, the dearest case for a policy that tried its rules in order. `python -m tests.bench.bench_policy` prints a JSON line a row.
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

from extproc.cohort import idlist, mmdb
from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.files import FileNames, Files
from extproc.cohort.runner import PolicyFolder
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    Surroundings,
    TextTest,
    TimeTest,
)
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, ServicePolicy, evaluate
from serinus.contract.request import StickyKind, StickySource
from tests.unit.extproc.cohort.mmdb_file import place, written

RULES = (0, 1, 10, 100)
ROUNDS, CALLS = 15, 4_000
IDS = 1_000_000
REQUEST = {
    "x-user-id": [b"user-4711"],
    "x-team": [b"team-none"],
    "x-region": [b"eu-central-1"],
    "x-number": [b"4711"],
    "cookie": [b"session=abc; theme=dark"],
    ":path": [b"/v1000/chat/completions?stream=1"],
    ":source": [b"192.0.2.7:40000"],
}
FILES = Files(
    lists={"ids": idlist.read([b"user-%d" % number for number in range(1_000)], seed=1)},
    places={"geo.mmdb": mmdb.read(written({"192.0.2.0/24": place("ZZ", "EU")}))},
)
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
    "regex": lambda n: _header("x-region", Op.REGEX, f"us-{n}-.*"),
    "regex that looks to the end": lambda n: _header("x-region", Op.REGEX, f".*-{n}-.*[xyz]"),
    "not exact": lambda _: AllOf((Not(_header("x-team", Op.EXACT, "team-none")), ShareTest(1, "s"))),
    "not in, not regex": lambda n: AllOf(
        (Not(_header("x-region", Op.REGEX, f"eu-.*|{n}")), Not(_header("x-team", Op.IN, "a", f"b{n}")))
    ),
    "one exact and what remains": lambda n: AllOf(
        (
            _header("x-team", Op.EXACT, "team-none"),
            Not(_header("x-region", Op.PREFIX, "eu-")),
            _header(f"x-{n}", Op.PRESENT),
        )
    ),
    "modulo of the key": lambda n: ModuloTest(Source.HEADER, "x-number", 1_000, (n,)),
    "cookie exact": lambda n: TextTest(Source.COOKIE, f"c{n}", Op.EXACT, ("1",)),
    "query exact": lambda n: TextTest(Source.QUERY, f"q{n}", Op.EXACT, ("1",)),
    "path prefix": lambda n: TextTest(Source.PATH, "", Op.PREFIX, (f"/v{n}/",)),
    "network": lambda n: AddressTest((f"10.{n}.0.0/16",)),
    "country by a file": lambda n: GeoTest("geo.mmdb", (f"{chr(65 + n // 26)}{chr(65 + n % 26)}",)),
    "window of time": lambda n: TimeTest(after_s=1_000_000 + n, days=(n % 7,)),
    "share, one salt": lambda _: ShareTest(0, "s"),
    "share, a salt a rule": lambda n: ShareTest(0, f"cohort/chat/c{n}"),
    "one list": lambda n: AllOf((TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)), _header(f"x-{n}", Op.PRESENT))),
    "one list, not": lambda _: AllOf((Not(TextTest(Source.KEY, "", Op.IN_FILE, ("ids",))), ShareTest(0, "s"))),
}


AROUND = Surroundings(
    in_list=lambda name, text: text in FILES.ids(name),
    place_of=lambda name, address: FILES.places_in(name).of(address),
)


def _lookup(name: str) -> Sequence[bytes]:
    return REQUEST.get(name, ())


def run() -> dict[str, Any]:
    """All forms, then the list."""
    return {
        "name": "cohort policy",
        "unit": "CPU us a request, median of rounds; the spread is between quartiles",
        "rows": [*(_row(name, form) for name, form in FORMS.items()), _mixture_row(), _first_row(), _list_row()],
    }


def _policy(form: Form, count: int) -> CompiledPolicy:
    rules = tuple(CohortRule(f"c{number}", form(number), "v2") for number in range(count))
    return CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, rules), FILES)


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
    if "regex" not in name:  # the reference compiles them anew each time
        row["reference_100_us"] = round(_us(lambda: evaluate(reference, _lookup, AROUND), 200), 1)
    return row


def _mixture_row() -> dict[str, Any]:
    """Each source is read once, whether one rule asks it or five."""
    forms = list(FORMS.values())
    few, many = (_policy(lambda n: forms[n % len(forms)](n), count) for count in (len(forms), 4 * len(forms)))
    pairs = [(_us(lambda: few.evaluate(REQUEST, 0)), _us(lambda: many.evaluate(REQUEST, 0))) for _ in range(ROUNDS)]
    return {
        "rules are": f"{len(forms)} kinds, one each and four each",
        "rules_one_each_us": round(statistics.median(one for one, _ in pairs), 2),
        "rules_four_each_us": round(statistics.median(four for _, four in pairs), 2),
        "four_over_one_us": round(statistics.median(four - one for one, four in pairs), 2),
    }


def _first_row() -> dict[str, Any]:
    """A user's first request under shares of different salts: their hashes are not known yet."""
    users = [{"x-user-id": [b"user-%d" % number]} for number in range(CALLS)]
    times = []
    for _ in range(ROUNDS):
        policy = _policy(FORMS["share, a salt a rule"], 100)
        times.append(_us(lambda policy=policy: [policy.evaluate(user, 0) for user in users], 1) / CALLS)  # type: ignore[misc]
    return {"rules are": "share, a salt a rule; each user once", "rules_100_us": round(statistics.median(times), 2)}


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
