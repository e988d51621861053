from extproc.aggregate.totals import count
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.outcome import OutcomeClass
from tests.unit.extproc.messages import outcome


def test_an_outcome_is_ok_failed_limited_or_the_clients_own() -> None:
    catalogue = Catalogue()
    for kind in (OutcomeClass.OK, OutcomeClass.TRUNCATED, OutcomeClass.CLIENT_ABORTED, OutcomeClass.LIMITED):
        count(catalogue, outcome(kind=kind), attempts=1)
    assert set(catalogue.outcomes.values) == {
        ("chat", "v1", "everyone", "ok", ""),
        ("chat", "v1", "everyone", "failed", "truncated"),
        ("chat", "v1", "everyone", "client", "client_aborted"),
        ("chat", "v1", "everyone", "limited", "limited"),
    }


def test_durations_are_per_service_and_version() -> None:
    catalogue = Catalogue()
    count(catalogue, outcome(duration_us=15_000), attempts=1)
    bins = catalogue.durations.values["chat", "v1"]
    assert bins.counts[:3] == [0, 1, 0]  # above 10 ms, up to 20 ms
    assert bins.sum_s == 0.015


def test_finish_reasons_that_the_api_does_not_know_are_other() -> None:
    catalogue = Catalogue()
    for reason in ("stop", "whatever a server invents", None):
        count(catalogue, outcome(finish_reason=reason), attempts=1)
    assert catalogue.finish_reasons.values == {("chat", "v1", "stop"): 1, ("chat", "v1", "other"): 1}


def test_a_retry_is_an_attempt_more_and_a_request_that_reached_no_server_is_none() -> None:
    catalogue = Catalogue()
    for attempts in (1, 2, 0):
        count(catalogue, outcome(), attempts=attempts)
    assert catalogue.attempts.values == {("chat", "v1"): 3}
