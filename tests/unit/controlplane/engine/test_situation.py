"""What came of both arms lately, and the name that the tracker finds for it: each fault injected as rows."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.situation import BEFORE_SLOTS, KEPT_SLOTS, WINDOW_SLOTS, RecentOutcomes
from controlplane.evidence.finding import Finding
from controlplane.ingest.rows import Row
from controlplane.rollout.effects import BeginStep
from serinus.contract.outcome import OutcomeClass
from tests.unit.controlplane.engine.test_evidence import USERS_A_SLOT, row
from tests.unit.controlplane.engine.test_plan import spec

BEGUN, SLOTS = 60, 100


def told(slot: int, version: str, classes: Mapping[str, int]) -> Row:
    return replace(row(slot, version, None, bad=sum(classes.values())), classes=classes)


def tracker_of(
    fault: Callable[[int, str], Mapping[str, int]], *, slots: range = range(1, SLOTS), silence: int = 0
) -> EvidenceTracker:
    """`fault`: failures by class, of each slot and version."""
    tracker = EvidenceTracker(spec("[{metric: errors}]"), rollout="chat-v2", baseline="v1")
    tracker.begin(BeginStep(step_index=0, slot=1, weight_bp=5_000, next_weight_bp=10_000))
    for slot in slots:
        tracker.add([told(slot, version, fault(slot, version)) for version in ("v1", "v2")], now_slot=slot)
        tracker.close(slot)
    for slot in range(slots.stop, slots.stop + silence):
        tracker.close(slot)
    return tracker


def fails(of: str, kind: str) -> Callable[[int, str], Mapping[str, int]]:
    """Ten of twenty requests of these versions fail from the sixtieth second on."""
    return lambda slot, version: {kind: 10} if version in of.split() and slot >= BEGUN else {}


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (fails("v2", "server_error"), Finding.VERSION_WORSE),
        (fails("v2", "overloaded"), Finding.CAPACITY),
        (fails("v1 v2", "server_error"), Finding.SHARED_INCIDENT),
        (fails("v1 v2", "timeout"), Finding.DEPENDENCY),
    ],
)
def test_each_fault_has_its_name(fault: Callable[[int, str], Mapping[str, int]], finding: Finding) -> None:
    named = tracker_of(fault).named("s1")
    assert named is not None
    assert named.finding is finding


def test_where_nothing_stands_out_there_is_no_name() -> None:
    assert tracker_of(fails("", "")).named("s1") is None


def test_an_incident_that_is_over_has_no_name_any_more() -> None:
    def fault(slot: int, _: str) -> Mapping[str, int]:
        return {"server_error": 10} if BEGUN <= slot < BEGUN + 5 else {}

    during = tracker_of(fault, slots=range(1, BEGUN + 5)).named("s1")
    assert during is not None
    assert during.finding is Finding.SHARED_INCIDENT
    assert tracker_of(fault).named("s1") is None


def test_half_a_minute_of_silence_is_no_data() -> None:
    named = tracker_of(fails("", ""), silence=31).named("s1")
    assert named is not None
    assert (named.finding, named.sentence) == (Finding.NO_DATA, "nothing arrived for 31 s")


def test_requests_in_the_wrong_place_are_a_routing_fault() -> None:
    tracker = tracker_of(fails("", ""))
    tracker.add([replace(told(SLOTS, "v2", {}), routing_mismatches=3)], now_slot=SLOTS)
    tracker.close(SLOTS)
    named = tracker.named("s1")
    assert named is not None
    assert named.finding is Finding.ROUTING_FAULT
    assert tracker.named("s2") is None


def test_before_anything_was_closed_there_is_nothing_to_name() -> None:
    assert tracker_of(fails("", ""), slots=range(1, 1)).named("s1") is None


def recent() -> RecentOutcomes:
    return RecentOutcomes(rollout="chat-v2", versions=("v1", "v2"))


def test_the_window_and_the_time_before_it_are_apart() -> None:
    outcomes, through = recent(), 1_000
    outcomes.add([told(slot, "v1", {"timeout": 1}) for slot in range(1, through + 20)], before_slot=through + 10)
    level = outcomes.level("v1", through)
    assert (level.n, level.bad) == (WINDOW_SLOTS * USERS_A_SLOT, WINDOW_SLOTS)
    assert (level.before_n, level.before_bad) == (BEFORE_SLOTS * USERS_A_SLOT, BEFORE_SLOTS)
    assert level.classes == {OutcomeClass.TIMEOUT: WINDOW_SLOTS}
    assert outcomes.last_slot == through + 9, "slots from far ahead are not believed"


def test_a_day_of_seconds_takes_no_more_than_some_minutes() -> None:
    outcomes = recent()
    for slot in range(86_400):
        outcomes.add([told(slot, "v1", {})], before_slot=slot + 1)
    assert len(outcomes._by_version["v1"]) <= 2 * KEPT_SLOTS


def test_rows_of_others_and_of_requests_that_nobody_dealt_count_nowhere() -> None:
    outcomes, good = recent(), told(5, "v1", {})
    outcomes.add(
        [replace(good, rollout="other"), replace(good, weight_class=""), replace(good, version="v9")], before_slot=9
    )
    assert outcomes.last_slot is None
