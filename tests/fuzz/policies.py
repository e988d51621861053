"""Cohort policies of the targets: one of each kind of condition, and a list, compiled once."""

from functools import cache

from extproc.cohort import regex
from extproc.cohort.files import Files
from extproc.cohort.idlist import read
from extproc.cohort.policies import PolicyHolder, PolicySet
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    Surroundings,
    TextTest,
    TimeTest,
)
from serinus.contract.policy import CohortRule, ServicePolicy, TokenPolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.contract.token import Claims, claims_of, mint

NOW_S = 1_700_000_000
FOLLOW_UP_MS = 60_000
_IDS = read([b"u1", b"u2", b"a"], seed=7)
_KEY = b"k" * 32
_FILES = Files(lists={"ids": _IDS}, keys={"keys": (_KEY,)})
TOKENS = tuple(
    mint(_KEY, Claims(service, version, "fuzz", NOW_S, NOW_S + ttl_s)).encode()
    for service, version, ttl_s in (
        ("chat", "v2", 3_600),
        ("chat", "v9", 3_600),
        ("plain", "v2", 3_600),
        ("chat", "v2", 1),
    )
)
_RULES = (
    CohortRule("staff", TextTest(Source.HEADER, "x-team", Op.EXACT, ("staff",)), pin="v2"),
    CohortRule("tool", TextTest(Source.HEADER, "user-agent", Op.PREFIX, ("curl/",))),
    CohortRule("list", AllOf((TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)), Not(TimeTest(before_s=1)))), pin="v1"),
    CohortRule(
        "query", AnyOf((TextTest(Source.QUERY, "q", Op.IN, ("1", "é")), TextTest(Source.PATH, "", Op.SUFFIX, ("/x",))))
    ),
    CohortRule(
        "cookie", AllOf((TextTest(Source.COOKIE, "ab", Op.PRESENT), TextTest(Source.METHOD, "", Op.EXACT, ("GET",))))
    ),
    CohortRule("odd", ModuloTest(Source.COOKIE, "uid", 5, (1, 3))),
    CohortRule("near", AddressTest(("10.0.0.0/8", "2001:db8::/32", "::ffff:0:0/96"))),
    CohortRule("word", TextTest(Source.HEADER, "x-word", Op.REGEX, ("(a|b)*c?[0-9]{2}.*",))),
    CohortRule("share", AllOf((ShareTest(3_000, "t"), TextTest(Source.HEADER, "x-any", Op.PRESENT)))),
)
_STICKY = (
    StickySource(StickyKind.HEADER, "x-user"),
    StickySource(StickyKind.COOKIE, "uid"),
    StickySource(StickyKind.QUERY, "user"),
)
SERVICES = {
    "chat": ServicePolicy(
        "chat", "r1", "v1", _STICKY, _RULES, observe_body=True, tokens=TokenPolicy("keys", ("v1", "v2"))
    ),
    "plain": ServicePolicy("plain", "r2", "v1", (StickySource(StickyKind.REQUEST),)),
}
_regex = cache(regex.compiled)
AROUND = Surroundings(
    now_s=NOW_S,
    regex=lambda pattern, text: _regex(pattern)(text),
    in_list=lambda _, text: text in _IDS,
    claims_of=lambda _, token: claims_of((_KEY,), token),
)


def holder() -> PolicyHolder:
    """With both services in force."""
    policies = PolicyHolder(FOLLOW_UP_MS)
    policies.replace(PolicySet("1", SERVICES), _FILES)
    return policies
