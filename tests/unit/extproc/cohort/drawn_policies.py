"""Cohort policies and requests drawn at random, small enough that rules are met often."""

from hypothesis import strategies as st

from extproc.cohort import mmdb
from extproc.cohort.files import Files
from extproc.cohort.idlist import read
from serinus.contract.condition import (
    CONDITION_DEPTH_MAX,
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
    depth_of,
)
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, ServicePolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.contract.slices import SliceDimension, SliceValue
from tests.unit.extproc.cohort.mmdb_file import WORLD, written

IDS = ("u1", "u2", "a", "x1")
PLACES = mmdb.read(written(WORLD))
FILES = Files(lists={"ids": read([each.encode() for each in IDS], seed=7)}, places={"geo.mmdb": PLACES})
VALUES = ("", "a", "ab", "b", "u1", "u2", "12", "27", "é", "x1", "x12")
STICKY = (StickySource(StickyKind.HEADER, "x-user"), StickySource(StickyKind.COOKIE, "uid"))

_sources = st.sampled_from(
    [
        *((Source.HEADER, name) for name in ("h1", "h2", "x-user")),
        *((Source.COOKIE, "uid"), (Source.QUERY, "q"), (Source.PATH, ""), (Source.METHOD, ""), (Source.KEY, "")),
    ]
)
_one = st.sampled_from(VALUES).map(lambda value: (value,))
_tests = st.one_of(
    st.tuples(st.sampled_from([Op.EXACT, Op.PREFIX, Op.SUFFIX]), _one),
    st.tuples(st.just(Op.IN), st.lists(st.sampled_from(VALUES), min_size=1, max_size=4).map(tuple)),
    st.tuples(st.just(Op.IN_FILE), st.just(("ids",))),
    st.tuples(
        st.just(Op.REGEX),
        st.sampled_from(["a.*", "[0-9]+", ".*é", "", "/v1/.*", ".*[b2]", r"\xff.*", "(?i)AB?"]).map(
            lambda each: (each,)
        ),
    ),
    st.just((Op.PRESENT, ())),
)
_times = st.builds(
    TimeTest,
    st.none() | st.integers(0, 2_000_000),
    st.none() | st.integers(0, 2_000_000),
    st.lists(st.integers(0, 6), max_size=3).map(tuple),
    st.integers(0, 1_440),
    st.integers(0, 1_440),
)
_leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(lambda where, test: TextTest(*where, *test), _sources, _tests),
    st.builds(lambda where, test: TextTest(*where, *test), _sources, _tests),
    st.builds(lambda where: ModuloTest(*where, 5, (2, 3)), _sources),
    st.sampled_from([("10.0.0.0/8",), ("10.1.0.0/16", "::1/128"), ("::/0",)]).map(AddressTest),
    st.sampled_from([(("DE",), (), ()), ((), ("EU", "AS"), ()), (("FR",), ("NA",), ()), ((), (), ("US-ORC",))]).map(
        lambda named: GeoTest("geo.mmdb", *named)
    ),
    _times,
    st.builds(ShareTest, st.sampled_from([0, 3_000, 10_000]), st.sampled_from(["s", "t"])),
)
_conditions: st.SearchStrategy[Condition] = st.recursive(
    _leaves,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda several: AllOf(tuple(several))),
        st.lists(parts, min_size=1, max_size=3).map(lambda several: AnyOf(tuple(several))),
        parts.map(Not),
    ),
    max_leaves=6,
).filter(lambda condition: depth_of(condition) <= CONDITION_DEPTH_MAX)
_dimensions = st.lists(st.lists(_conditions, min_size=1, max_size=3), max_size=2).map(
    lambda found: tuple(
        SliceDimension(f"d{at}", tuple(SliceValue(f"v{n}", each) for n, each in enumerate(conditions)))
        for at, conditions in enumerate(found)
    )
)
POLICIES = st.builds(
    lambda conditions, slices: ServicePolicy(
        *("chat", "r1", "v1", STICKY),
        tuple(CohortRule(f"c{n}", each, "v2") for n, each in enumerate(conditions)),
        slices=slices,
    ),
    st.lists(_conditions, max_size=8),
    st.just(()) | _dimensions,
)
_bytes = st.sampled_from([value.encode() for value in VALUES] + [b"\xff\xfe"])
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.lists(_bytes, min_size=1, max_size=2) for name in ("h1", "h2", "x-user")},
        "cookie": st.sampled_from([[b"uid=u1"], [b"uid=a; b=1"], [b"bad cookie;;"], [b"uid=u1", b"uid=u2"]]),
        ":path": st.sampled_from([[b"/v1/a?q=a"], [b"/v1/a?q=12&q=1"], [b"/"], [b"/x?q=%C3%A9"]]),
        ":method": st.sampled_from([[b"GET"], [b"a"]]),
        ":source": st.sampled_from(
            [
                [b"10.1.2.3:4"],
                [b"[::1]:80"],
                [b"pipe"],
                [b"[::ffff:10.0.0.1]:9"],
                [b"[2001:db8::1]:1"],
                [b"192.0.2.9:1"],
            ]
        ),
    },
)
