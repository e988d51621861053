"""What other control planes see of their proxies counts as what this one sees."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.engine.planes import REJECTIONS_TOLD, ServiceSeen, joined, seen_of, text_of
from controlplane.rollout.events import FleetFact


def seen(*nodes: str, snapshot: str = "s1", **fleet: tuple[str, ...]) -> ServiceSeen:
    return ServiceSeen(snapshot, nodes, FleetFact(connected=len(nodes), **fleet))


NAMES = st.lists(st.text(max_size=5), max_size=4, unique=True).map(tuple)
SIGHTS = st.builds(
    lambda snapshot, nodes, waiting, warming, rejections: seen(
        *nodes, snapshot=snapshot, waiting=waiting, warming=warming, rejections=rejections
    ),
    st.sampled_from(["s1", "s2", ""]),
    *(NAMES,) * 4,
)


@given(st.dictionaries(st.text(max_size=5), SIGHTS, max_size=3))
def test_what_is_told_is_read_again(sights: dict[str, ServiceSeen]) -> None:
    assert seen_of(text_of(sights)) == sights


def test_of_many_rejections_some_are_told() -> None:
    many = seen("e1", rejections=tuple(f"e{number}: no" for number in range(1_000)))
    assert len(seen_of(text_of({"chat": many}))["chat"].fleet.rejections) == REJECTIONS_TOLD


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "3", "null", '{"chat": 1}', '{"chat": {}}'),
        json.dumps({"chat": {"snapshot": "", "nodes": "e1"}}),
        text_of({"chat": seen("e1")}).replace("waiting", "later"),
        text_of({"chat": seen("e1")}).replace('"e1"', "1"),
    ],
)
def test_what_another_version_tells_otherwise_is_no_proxy(text: str) -> None:
    assert seen_of(text) == {}


def test_proxies_of_all_planes_are_connected_and_waited_for() -> None:
    whole = joined(seen("e1", waiting=("e1",)), [seen("e2", "e3", waiting=("e3",), warming=("chat/v2",)), seen("e4")])
    assert whole.nodes == ("e1", "e2", "e3", "e4")
    assert whole.fleet == FleetFact(connected=4, waiting=("e1", "e3"), warming=("chat/v2",))


def test_all_proxies_of_a_plane_that_publishes_another_revision_are_waited_for() -> None:
    behind = seen("e2", "e3", snapshot="s0", warming=("chat/v1",))
    assert joined(seen("e1"), [behind]).fleet == FleetFact(connected=3, waiting=("e2", "e3"))


def test_a_proxy_that_came_over_is_seen_here() -> None:
    """The other plane has not told yet that it left."""
    whole = joined(seen("e1"), [seen("e1", "e2", waiting=("e1",))])
    assert (whole.nodes, whole.fleet) == (("e1", "e2"), FleetFact(connected=2))
    twice = joined(seen(), [seen("e1", waiting=("e1",)), seen("e1")])
    assert (twice.nodes, twice.fleet) == (("e1",), FleetFact(connected=1, waiting=("e1",)))


def test_refusals_of_all_planes_are_told_once() -> None:
    fleet = joined(
        seen("e1", rejections=("e1: no",)),
        [seen("e2", rejections=("e1: no", "e2: never"), duplicates=("e9",))],
    ).fleet
    assert (fleet.rejections, fleet.duplicates) == (("e1: no", "e2: never"), ("e9",))


@given(SIGHTS, st.lists(SIGHTS, max_size=3))
def test_every_connected_proxy_counts_once_and_whoever_is_waited_for_here_stays(
    own: ServiceSeen, others: list[ServiceSeen]
) -> None:
    whole = joined(own, others)
    assert set(whole.nodes) == {*own.nodes}.union(*(each.nodes for each in others))
    assert len(set(whole.nodes)) == len(whole.nodes) == whole.fleet.connected
    assert set(own.fleet.waiting) <= set(whole.fleet.waiting)
