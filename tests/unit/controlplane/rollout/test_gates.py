"""What is said when nothing moves."""

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.events import EvidenceFact, FleetFact, ServersFact
from controlplane.rollout.gates import REJECTIONS_SHOWN_MAX, advance_hold, capacity_hold, fleet_hold
from controlplane.rollout.model import Observing
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, right, spec, without


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


def held(seen: ServersFact, capacity: str = "{kv_cache: 90%, queue: 50}") -> str:
    """The code of the hold; "" for none."""
    plan = spec(f"{ROLLOUT}  capacity: {capacity}\n")
    hold = capacity_hold(without(right(), servers=seen), plan)
    return hold.code if hold else ""


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (ServersFact(2, 2, cache_peak=0.9, queue_peak=50), ""),
        (ServersFact(2, 2, cache_peak=0.91, queue_peak=0), "capacity"),
        (ServersFact(2, 2, cache_peak=0.1, queue_peak=51), "capacity"),
        (ServersFact(2, 1, cache_peak=None, queue_peak=51), "capacity"),
        (ServersFact(2, 1, cache_peak=0.1, queue_peak=None), ""),
        (ServersFact(2, 0), ""),
        (ServersFact(0, 0), "capacity_unknown"),
    ],
    ids=["at the cap", "cache", "queue", "half is seen", "half is not", "silence", "nobody is asked"],
)
def test_a_full_server_holds_and_silence_does_not(seen: ServersFact, expected: str) -> None:
    assert held(seen) == expected


def test_silence_holds_where_the_plan_asks_for_that() -> None:
    strict = "{kv_cache: 90%, queue: 50, hold_on_missing: true}"
    assert held(ServersFact(2, 0), strict) == "capacity_unknown"
    assert held(ServersFact(2, 2, cache_peak=None, queue_peak=3), strict) == "capacity_unknown"
    assert held(ServersFact(2, 2, cache_peak=0.2, queue_peak=3), strict) == ""
    assert held(ServersFact(2, 2, cache_peak=None, queue_peak=3), "{queue: 50, hold_on_missing: true}") == ""


def test_without_a_cap_nothing_about_servers_holds() -> None:
    assert capacity_hold(without(right(), servers=ServersFact(1, 1, 1.0, 9_999)), spec()) is None


def test_a_step_does_not_end_while_a_server_of_the_candidate_is_full() -> None:
    plan = spec(f"{ROLLOUT}  capacity: {{queue: 5}}\n")
    phase = Observing(step_index=0, entered_at_ms=T0_MS)
    facts = without(right(step_index=0, verdict=Verdict.GOOD_ENOUGH), servers=ServersFact(1, 1, queue_peak=9))
    hold = advance_hold(phase, plan, facts, T0_MS + 60_000)
    assert hold is not None
    assert (hold.code, "9 requests wait" in hold.text) == ("capacity", True)
    room = without(facts, servers=ServersFact(1, 1, queue_peak=5))
    assert advance_hold(phase, plan, room, T0_MS + 60_000) is None


def test_a_doubt_of_the_diagnostics_holds_where_the_plan_asks_for_it_and_nowhere_else() -> None:
    doubt = "region: candidate and baseline get unlike requests"
    evidence = EvidenceFact(step_index=0, verdict=Verdict.GOOD_ENOUGH, doubt=doubt)
    facts = without(right(), evidence=evidence)
    phase = Observing(0, T0_MS)
    later_ms = T0_MS + 3_600_000
    assert advance_hold(phase, spec(ROLLOUT), facts, later_ms) is None
    hold = advance_hold(phase, spec(f"{ROLLOUT}  diagnostics: {{hold: true}}\n"), facts, later_ms)
    assert hold is not None
    assert (hold.code, hold.text) == ("diagnostic", doubt)
