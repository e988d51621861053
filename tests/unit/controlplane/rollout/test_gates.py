"""What is said when nothing moves."""

from controlplane.rollout.events import FleetFact
from controlplane.rollout.gates import REJECTIONS_SHOWN_MAX, fleet_hold
from tests.unit.controlplane.rollout.facts import right, without


def said(fleet: FleetFact) -> str:
    held = fleet_hold(without(right(), fleet=fleet))
    assert held is not None
    return held.text


def test_envoys_own_words_are_the_reason() -> None:
    words = "edge-1: Sum of weights in the weighted_cluster must be greater than 0."
    assert said(FleetFact(2, rejections=(words,))) == f"a proxy rejected the configuration: {words}"


def test_a_thousand_proxies_that_say_the_same_are_counted() -> None:
    many = tuple(f"edge-{index}: no" for index in range(1_000))
    text = said(FleetFact(1_000, rejections=many))
    assert text.count("edge-") == REJECTIONS_SHOWN_MAX
    assert text.endswith("; and 995 more")


def test_a_cluster_that_warms_is_named_with_the_proxies_that_lack_it() -> None:
    text = said(FleetFact(3, waiting=("edge-1", "edge-2"), warming=("chat/v2",)))
    assert text == "waiting for 2 of 3 proxies to warm chat/v2: edge-1, edge-2"


def test_two_proxies_under_one_id_are_named_with_what_to_do() -> None:
    text = said(FleetFact(3, duplicates=("edge-1",)))
    assert text == "two proxies have come under one node id: edge-1; next: give every Envoy a node.id of its own"


def test_a_fleet_that_has_everything_holds_nothing() -> None:
    assert fleet_hold(right()) is None
