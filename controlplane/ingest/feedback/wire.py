"""Rows of feedback <-> values. A bad row is refused with its whole batch: sidecars check what clients say before."""

from collections.abc import Iterable, Sequence

from controlplane.ingest.errors import BadReportError
from serinus.contract.feedback import Feedback, RequestId, Said, checked, service_code
from serinus.v1 import outcomes_pb2

# A sidecar lets some hundred a second through; the rest of a minute without control plane follows at once.
FEEDBACK_MAX = 20_000
_NAME_CHARS_MAX = 253


def feedback_of(rows: Sequence[outcomes_pb2.FeedbackRow]) -> tuple[Feedback, ...]:
    """Raises BadReportError."""
    if len(rows) > FEEDBACK_MAX:
        raise BadReportError(f"{len(rows)} rows of feedback in one batch, at most {FEEDBACK_MAX}")
    return tuple(map(_feedback, rows))


def feedback_batch(seq: int, told: Iterable[Feedback]) -> bytes:
    """A batch that holds nothing else, as it is stored."""
    return outcomes_pb2.Batch(seq=seq, feedback=map(_row, told)).SerializeToString()


def _feedback(row: outcomes_pb2.FeedbackRow) -> Feedback:
    for name in (row.service, row.snapshot, row.version):
        if len(name) > _NAME_CHARS_MAX:
            raise BadReportError(f"a name of {len(name)} characters in a row of feedback")
    said = Said(
        row.score if row.HasField("score") else None,
        row.predicted if row.HasField("predicted") else None,
        row.actual if row.HasField("actual") else None,
        row.margin if row.HasField("margin") else None,
        row.event,
        row.metric,
    )
    try:
        checked(said)
    except ValueError as error:
        raise BadReportError(f"feedback for service {row.service}: {error}") from None
    request = RequestId(
        row.start_s, row.key, service_code(row.service), row.cohort, row.request, row.snapshot, row.version
    )
    return Feedback(row.service, request, said)


def _row(told: Feedback) -> outcomes_pb2.FeedbackRow:
    request, said = told.request, told.said
    return outcomes_pb2.FeedbackRow(
        service=told.service,
        snapshot=request.snapshot,
        version=request.version,
        start_s=request.start_s,
        key=request.key,
        cohort=request.cohort,
        request=request.request,
        score=said.score,
        predicted=said.predicted,
        actual=said.actual,
        margin=said.margin,
        event=said.event,
        metric=said.metric,
    )
