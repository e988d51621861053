"""An act is a success only if it ended as it must and every fact of its users is right."""

import json
from dataclasses import replace

import pytest

from controlplane.local.demo.acts import BAD, GOOD, Act
from controlplane.local.demo.outcome import ActOutcome, Told, as_json, faults, outcome_of, summary_rows
from controlplane.local.demo.tally import Sent, StepEvent

STEPS = (1000, 5000, 10000)


def told(phase: str, *reasons: tuple[int, str], message: str = "because") -> Told:
    return Told(
        phase=phase,
        message=message,
        sentences=("One.", "Two."),
        events=tuple(StepEvent(at_ms, reason) for at_ms, reason in reasons),
        steps_bp=STEPS,
        started_ms=0,
        ended_ms=60_000,
    )


def request(at_ms: int, user: int, version: str, failure: str = "", finish_reason: str = "stop") -> Sent:
    return Sent(
        started_ms=at_ms,
        user=user,
        version=version,
        request_id="r",
        status=200,
        failure=failure,
        ttft_ms=40.0,
        duration_ms=90.0,
        finish_reason=finish_reason,
    )


def promoted() -> ActOutcome:
    record = told("promoted", (1000, "step_started"), (20_000, "good_enough"), (60_000, "promoted"))
    requests = [request(2000 + user, user, "v2" if user < 10 else "v1") for user in range(100)]
    return outcome_of(GOOD, record, requests, until_ms=62_000)


def rolled_back(*more: Sent) -> ActOutcome:
    record = told("rolled_back", (1000, "step_started"), (50_000, "worse"), (60_000, "rolled_back"))
    requests = [
        request(2000 + user, user, "v3" if user < 10 else "v2", finish_reason="length" if user < 10 else "stop")
        for user in range(100)
    ]
    return outcome_of(BAD, record, [*requests, *more], until_ms=62_000)


def test_an_act_that_ended_as_it_must_has_no_fault() -> None:
    assert faults(promoted()) == []
    assert faults(rolled_back()) == []
    assert (rolled_back().candidate_requests, rolled_back().candidate_users) == (10, 10)


@pytest.mark.parametrize(("act", "phase"), [(GOOD, "rolled_back"), (GOOD, "observing"), (BAD, "promoted")])
def test_another_end_is_a_fault_that_quotes_the_reason(act: Act, phase: str) -> None:
    outcome = outcome_of(act, told(phase, message="thin evidence"), [request(0, 1, act.baseline)], until_ms=1)
    assert faults(outcome) == [f"it is {phase} and must be {act.ends}: thin evidence"]


def test_one_failed_request_is_a_fault() -> None:
    found = faults(rolled_back(request(3000, 500, "v2", failure="HTTP 503")))
    assert found == ["1 of 101 requests failed: 1 x HTTP 503 (v2)"]


def test_an_error_of_the_model_server_itself_is_told_and_is_no_fault() -> None:
    own = replace(request(3000, 500, "v2", failure="error inside the stream: x"), is_models_own=True)
    outcome = rolled_back(own)
    assert faults(outcome) == []
    assert dict(summary_rows(outcome))["failed requests"].startswith("0, and 1 that a model server itself")


def test_users_on_the_candidate_after_a_rollback_are_a_fault() -> None:
    found = faults(rolled_back(request(60_500, 1, "v3")))
    assert found == ["1 requests reached the candidate after the rollback was in force"]


def test_users_moved_back_are_a_fault_and_going_back_with_the_rollback_is_none() -> None:
    assert faults(rolled_back(request(55_000, 1, "v2"))) == []
    found = faults(rolled_back(request(30_000, 1, "v2")))
    assert found == ["1 users were moved back while the weight only grew"]


def test_an_implausible_split_is_a_fault() -> None:
    record = told("promoted", (1000, "step_started"), (60_000, "promoted"))
    outcome = outcome_of(GOOD, record, [request(2000, user, "v2") for user in range(100)], until_ms=62_000)
    assert faults(outcome)[0].startswith("implausible split: 100.0% of 100 users at 10% (p = ")


def test_no_traffic_at_all_is_a_fault() -> None:
    record = told("promoted", (1000, "step_started"), (60_000, "promoted"))
    assert faults(outcome_of(GOOD, record, [], until_ms=62_000)) == ["no request was sent"]


def test_the_summary_says_what_happened_in_words() -> None:
    rows = dict(summary_rows(rolled_back()))
    assert rows["outcome"] == "v3 was rolled back to 0% after 60 s"
    assert rows["failed requests"] == "0"
    assert rows["ended by length"] == "v2 0.0% of 90, v3 100.0% of 10"
    assert rows["observed share"] == "10.0% of 100 users at 10% (p = 1)"
    assert rows["on the candidate after"] == "0 requests"
    assert rows["why"] == "because"


def test_the_json_holds_the_same_facts_and_is_json() -> None:
    data = json.loads(json.dumps(as_json(promoted())))
    assert (data["act"], data["rollout"], data["phase"], data["ok"]) == ("good", "chat-v2", "promoted", True)
    assert data["observed"][0]["on_candidate"] == 10
    assert (data["failed_requests"], data["moved_back"], data["faults"]) == (0, 0, [])
    assert data["explain"] == ["One.", "Two."]
