"""Rows of feedback are read as they were written, and bad ones refuse their batch."""

import math

import pytest

from controlplane.ingest.errors import BadReportError
from controlplane.ingest.feedback.wire import FEEDBACK_MAX, feedback_batch, feedback_of
from controlplane.ingest.wire import batch_from_bytes
from serinus.contract.feedback import Feedback, RequestId, Said, service_code
from serinus.v1 import outcomes_pb2

REQUEST = RequestId(1_790_000_000, 5, service_code("chat"), 7, 9, "0123456789abcdef", "v2")


@pytest.mark.parametrize(
    "said",
    [
        Said(score=0.0),
        Said(score=0.5, metric="helpfulness"),
        Said(predicted=False, actual=True, margin=-1.5),
        Said(actual=False, margin=0.0),
        Said(score=1.0, predicted=True, actual=True, event="bought"),
    ],
)
def test_what_was_told_comes_back_from_the_batch_as_it_was(said: Said) -> None:
    told = Feedback("chat", REQUEST, said)
    assert batch_from_bytes(feedback_batch(3, (told,))).feedback == (told,)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "nothing is said"),
        ({"score": 2.0}, "outside 0..1"),
        ({"score": math.nan}, "outside 0..1"),
        ({"predicted": True}, "needs actual"),
        ({"score": 1.0, "version": "v" * 300}, "a name of 300 characters"),
    ],
)
def test_a_row_that_cannot_be_is_refused(fields: dict[str, object], words: str) -> None:
    row = outcomes_pb2.FeedbackRow(service="chat", **fields)  # type: ignore[arg-type]
    with pytest.raises(BadReportError, match=words):
        feedback_of([row])


def test_more_than_a_batch_holds_is_refused() -> None:
    row = outcomes_pb2.FeedbackRow(service="chat", score=1.0)
    with pytest.raises(BadReportError, match="at most"):
        feedback_of([row] * (FEEDBACK_MAX + 1))
