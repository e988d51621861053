from dataclasses import replace

import pytest

from extproc.accesslog.entry import outcome_of
from extproc.outcome.observation import UNOBSERVABLE, Observation
from serinus.contract.outcome import FAILURES, OutcomeClass
from tests.unit.extproc.messages import ending, entry


def test_a_randomised_request_is_evidence() -> None:
    outcome = outcome_of(entry(), None)
    assert (outcome.weight_class, outcome.cohort, outcome.key_hash) == ("1", "everyone", 7)
    assert not outcome.is_routing_mismatch


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pin": "v2"}, id="pinned"),
        pytest.param({"bucket": None, "key_hash": None}, id="no key"),
        pytest.param({"bucket": None, "key_hash": None, "cohort": None}, id="untagged"),
        pytest.param({"rollout": ""}, id="no rollout in force"),
        pytest.param({"version": "", "ending": ending(0, "DC", finished=False)}, id="left before a cluster was picked"),
    ],
)
def test_other_requests_are_not(changes: dict[str, object]) -> None:
    outcome = outcome_of(replace(entry(), **changes), None)  # type: ignore[arg-type]
    assert outcome.weight_class == ""
    assert not outcome.is_routing_mismatch


def test_an_untagged_request_is_in_the_cohort_untagged() -> None:
    assert outcome_of(replace(entry(), bucket=None, cohort=None, key_hash=None), None).cohort == "untagged"


@pytest.mark.parametrize(
    ("bucket", "weight_bp", "version", "mismatch"),
    [
        (499, 500, "v2", False),
        (499, 500, "v1", True),
        (500, 500, "v1", False),
        (500, 500, "v2", True),
        (0, 0, "v1", False),
        (0, 0, "v2", True),
        (9_999, 10_000, "v2", False),
        (9_999, 10_000, "v3", True),
    ],
)
def test_the_version_must_be_the_one_of_the_bucket(bucket: int, weight_bp: int, version: str, mismatch: bool) -> None:
    outcome = outcome_of(replace(entry(), bucket=bucket, weight_bp=weight_bp, version=version), None)
    assert outcome.is_routing_mismatch is mismatch
    assert outcome.version == version


def test_a_request_of_a_weight_class_is_evidence_of_that_class_and_checked_against_its_weight() -> None:
    half = replace(entry(), weight_class="0.5", weight_bp=250, cohort="gold", bucket=300, version="v1")
    outcome = outcome_of(half, None)
    assert (outcome.weight_class, outcome.weight_bp, outcome.is_routing_mismatch) == ("0.5", 250, False)
    assert outcome_of(replace(half, version="v2"), None).is_routing_mismatch
    assert outcome_of(replace(half, pin="v2", version="v2"), None).weight_class == ""


def test_a_missing_cluster_is_held_against_the_arm_of_the_bucket() -> None:
    outcome = outcome_of(replace(entry(), bucket=1, version="", ending=ending(503, "NC", finished=False)), None)
    assert (outcome.version, outcome.weight_class, outcome.is_routing_mismatch) == ("v2", "1", False)
    assert outcome.outcome_class is OutcomeClass.SERVER_ERROR


def test_what_a_limit_kept_back_is_evidence_for_nobody() -> None:
    """The entry names the cluster that the request would have gone to."""
    outcome = outcome_of(replace(entry(), bucket=1, version="v2", ending=ending(429, "RL")), None)
    assert (outcome.version, outcome.weight_class, outcome.outcome_class) == ("v2", "", OutcomeClass.LIMITED)
    assert outcome.outcome_class not in FAILURES


def test_the_observation_adds_what_the_body_said() -> None:
    seen = Observation(observable=True, complete=True, finish_reason="length", has_content=True)
    assert outcome_of(entry(), seen).finish_reason == "length"
    assert outcome_of(entry(), UNOBSERVABLE).finish_reason is None
    assert outcome_of(entry(), Observation(observable=True, complete=True)).outcome_class is OutcomeClass.TRUNCATED


@pytest.mark.parametrize(
    ("changes", "seen", "form"),
    [
        pytest.param({}, Observation(observable=True, complete=True, is_stream=True), "streams", id="a stream"),
        pytest.param({}, Observation(observable=True, complete=True), "whole", id="one document"),
        pytest.param({}, UNOBSERVABLE, "either", id="a coding nobody reads"),
        pytest.param({}, None, "either", id="its observation was lost"),
        pytest.param({"is_running": True}, None, "either", id="still runs"),
        pytest.param({"ending": ending(204)}, None, "whole", id="no model's answer"),
    ],
)
def test_an_observed_answer_came_piece_by_piece_or_whole(
    changes: dict[str, object], seen: Observation | None, form: str
) -> None:
    like = replace(entry(), **changes)  # type: ignore[arg-type]
    assert outcome_of(like, seen, is_observed=True).form == form
    assert outcome_of(like, seen).form == ""
