"""Answers of a Prometheus, and those that are none: a rollout goes on by good numbers alone."""

import json

import pytest

from controlplane.engine.promql.query import SERIES_MAX, TIMEOUT_MS, QueryBook, Reply, reply_of
from controlplane.rollout.events import QueriesFact
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, rollout

ASKS = rollout(
    text=ROLLOUT
    + "  promql:\n    - {name: failed, url: 'http://p/', query: x, max: 5}\n"
    + "    - {name: served, url: 'http://p/', query: y, min: 10, every: 1m}\n"
)
FAILED, SERVED = ("chat-v2", "failed"), ("chat-v2", "served")


def answered(*values: str, kind: str = "vector") -> bytes:
    rows = [{"metric": {"a": str(n)}, "value": [1_700_000_000.5, value]} for n, value in enumerate(values)]
    result = rows if kind == "vector" else [1_700_000_000.5, values[0]]
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def test_a_vector_and_a_scalar_are_numbers() -> None:
    assert reply_of(200, answered("1.5", "-2e3", "+Inf")) == Reply((1.5, -2000.0, float("inf")))
    assert reply_of(200, answered("7", kind="scalar")) == Reply((7.0,))


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, answered(), "the answer has no series"),
        (200, answered("1", "NaN"), "the answer is not a number"),
        (200, answered(*["1"] * (SERIES_MAX + 1)), "the answer has more than 1000 series"),
        (400, b'{"status": "error", "error": "parse error:\\n bad"}', "it answered 400: parse error: bad"),
        (503, b'{"status": "error"}', "it answered 503"),
        (502, b"<html>", "it answered 502, and no vector or scalar"),
        (200, b"{}", "it answered 200, and no vector or scalar"),
        (200, b'{"status": "success", "data": {"resultType": "matrix", "result": [{"values": []}]}}', "no vector"),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "x"]}}', "no vector"),
        (200, b"[" * 100_000, "no vector"),
    ],
)
def test_nothing_nan_and_what_is_no_answer_are_faults(status: int, body: bytes, fault: str) -> None:
    reply = reply_of(status, body)
    assert reply.values == ()
    assert fault in reply.fault


GOOD = Reply((1.0, 5.0))
ENOUGH = Reply((10.0,))


def book(failed: Reply = GOOD, served: Reply = ENOUGH) -> QueryBook:
    found = QueryBook()
    found.follow([FAILED, SERVED])
    found.add(FAILED, failed, T0_MS)
    found.add(SERVED, served, T0_MS)
    return found


def test_within_its_limits_nothing_is_said() -> None:
    assert book().fact(ASKS, T0_MS) == QueriesFact()
    assert QueryBook().fact(rollout(), T0_MS) == QueriesFact(), "a plan that asks nothing"


def test_each_series_must_be_within_the_limits() -> None:
    assert book(Reply((0.0, 5.1)), Reply((9.0, 99.0))).fact(ASKS, T0_MS) == QueriesFact(
        beyond="query failed is 5.1, above 5; query served is 9, below 10"
    )


def test_no_answer_yet_holds_and_so_does_one_that_is_too_old() -> None:
    assert QueryBook().fact(ASKS, T0_MS).missing == ("query failed has no answer yet; query served has no answer yet")
    assert book().fact(ASKS, T0_MS + 3 * 30_000 + TIMEOUT_MS) == QueriesFact()
    late = book().fact(ASKS, T0_MS + 3 * 30_000 + TIMEOUT_MS + 1)
    assert late == QueriesFact(missing="query failed has no answer yet"), "each at its own pace"


def test_one_fault_leaves_the_last_answer_and_many_are_told() -> None:
    found = book()
    found.add(FAILED, Reply(fault="cannot connect: refused"), T0_MS + 30_000)
    assert found.fact(ASKS, T0_MS + 30_000) == QueriesFact()
    assert found.fact(ASKS, T0_MS + 110_000).missing == "query failed has no answer: cannot connect: refused"


def test_what_is_not_asked_any_more_is_forgotten() -> None:
    found = book()
    found.follow([SERVED])
    assert found.fact(ASKS, T0_MS).missing == "query failed has no answer yet"
