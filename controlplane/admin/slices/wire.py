"""What is shown beside a rollout's evidence -> `serinus.v1.Admin`: slices, and what the diagnostics note. No I/O.

Neither decides anything.
"""

from collections.abc import Mapping, Sequence

from controlplane.engine.annotations import annotation_sentences
from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.history.unusual import Unusual, annotation_of
from controlplane.engine.slices import named_sentences
from controlplane.evidence.slices import SliceRow
from serinus.v1 import admin_pb2


def add_notes(
    view: admin_pb2.RolloutView, tracker: EvidenceTracker, unusual: Mapping[tuple[str, str], Unusual]
) -> None:
    """All slices in their order; what feedback told; a sentence of each that is worse; the diagnostics'."""
    slices = tracker.slices.rows()
    view.slices.extend(slice_views(slices))
    told = tracker.labels.sentences(is_over=view.terminal)
    strange = [
        unusual[each] for each in ((view.service, view.baseline), (view.service, view.candidate)) if each in unusual
    ]
    more = (*tracker.drift.annotations(), *tracker.logs.annotations(), *map(annotation_of, strange))
    view.findings.extend((*told, *named_sentences(slices), *annotation_sentences(tracker.samples(), more)))


def slice_views(rows: Sequence[SliceRow]) -> list[admin_pb2.SliceView]:
    """In their order."""
    return [
        admin_pb2.SliceView(
            dimension=row.dimension,
            value=row.value,
            baseline_requests=row.baseline_n,
            baseline_bad=row.baseline_bad,
            candidate_requests=row.candidate_n,
            candidate_bad=row.candidate_bad,
            worse_log_e=row.log_e,
            named=row.is_named,
            metric=row.metric,
        )
        for row in rows
    ]
