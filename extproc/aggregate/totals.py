"""Every finished request on the dashboards, late ones too. Counts only; evidence is `window.py`."""

from extproc.aggregate.cell import Cell, Tally, bucket_of_grid
from extproc.aggregate.slot import Outcome
from extproc.telemetry.catalogue import DURATION_BUCKETS_S, TTFT_BUCKETS_S, Catalogue
from serinus.contract.outcome import FAILURES, UNFINISHED, OutcomeClass


def _label(kind: OutcomeClass) -> str:
    if kind is OutcomeClass.OK:
        return "ok"
    if kind is OutcomeClass.LIMITED:
        return "limited"
    return "failed" if kind in FAILURES else "client"


_OUTCOME_LABEL = {kind: _label(kind) for kind in OutcomeClass}
# What the APIs document. A server may write anything: the rest is "other".
_FINISH_REASONS = frozenset(
    {
        *("stop", "length", "tool_calls", "content_filter", "function_call"),  # OpenAI's completions
        "completed",  # OpenAI's responses
        *("end_turn", "stop_sequence", "tool_use", "pause_turn", "refusal"),  # Anthropic's messages
    }
)


_DURATION_BUCKET, _TTFT_BUCKET = bucket_of_grid(DURATION_BUCKETS_S), bucket_of_grid(TTFT_BUCKETS_S)


def count(catalogue: Catalogue, outcome: Outcome, *, attempts: int) -> None:
    """Add one outcome to the counters and histograms. `attempts`: how often a server was tried for it, 0 for never."""
    if outcome.outcome_class in UNFINISHED:
        return
    _count_alike(catalogue, outcome, 1, attempts)
    labels = (outcome.service, outcome.version)
    catalogue.durations.observe(outcome.duration_us / 1e6, labels)
    if outcome.ttft_us is not None and Cell(outcome, attempts).has_ttft:
        catalogue.ttfts.observe(min(outcome.ttft_us, outcome.duration_us) / 1e6, labels)


def add(catalogue: Catalogue, cell: Cell, tally: Tally) -> None:
    """Add the requests of one slot of a cell."""
    if cell.like.outcome_class in UNFINISHED:
        return
    _count_alike(catalogue, cell.like, tally.requests, cell.attempts)
    labels = (cell.like.service, cell.like.version)
    for table, places, sum_us, bucket_of in (
        (catalogue.durations, tally.places, tally.sum_us, _DURATION_BUCKET),
        (catalogue.ttfts, tally.ttft_places, tally.ttft_sum_us, _TTFT_BUCKET),
    ):
        if places:
            table.add(((bucket_of[place], count) for place, count in places.items()), sum_us / 1e6, labels)


def _count_alike(catalogue: Catalogue, like: Outcome, requests: int, attempts: int) -> None:
    kind = like.outcome_class
    error_class = "" if kind is OutcomeClass.OK else kind.value
    labels = (like.service, like.version, like.cohort, _OUTCOME_LABEL[kind], error_class)
    catalogue.outcomes.add(labels, requests)
    if attempts:
        catalogue.attempts.add((like.service, like.version), attempts * requests)
    reason = like.finish_reason
    if reason is not None:
        name = reason if reason in _FINISH_REASONS else "other"
        catalogue.finish_reasons.add((like.service, like.version, name), requests)
