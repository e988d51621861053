"""Messages of `serinus.v1.Outcomes` <-> values. A bad message is refused whole, here, once."""

import hashlib
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from controlplane.ingest.errors import BadReportError
from controlplane.ingest.feedback.wire import feedback_of
from controlplane.ingest.histogram import KEYS_MAX, bins_of, histograms_of
from controlplane.ingest.rows import Batch, ClusterHealth, Hello, HistogramCount, MetricCount, ProxyCounters, Row
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
)
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, ServicePolicy
from serinus.contract.slices import WORD_CHARS_MAX, SliceDimension
from serinus.v1 import outcomes_pb2

# A sidecar reports each second; rows are bounded by versions x cohorts x slots in flight (a few hundred).
ROWS_MAX = 20_000
# A row has one histogram of each metric that the contract names; more may come.
HISTOGRAMS_MAX = 32
NAME_CHARS_MAX = 253


def hello_of(message: outcomes_pb2.Hello) -> Hello:
    """Raises BadReportError without a name or an epoch."""
    # A name with `@` in front is one of ours: it stands for operators where batches are kept.
    is_named = message.sidecar and len(message.sidecar) <= NAME_CHARS_MAX and not message.sidecar.startswith("@")
    if not is_named or not message.epoch:
        raise BadReportError("hello without a sidecar id or epoch", next_step="give the sidecar --node-id")
    return Hello(message.sidecar, message.epoch, message.cluster)


def batch_of(message: outcomes_pb2.Batch) -> Batch:
    """Raises BadReportError on counts that cannot be true or on too many rows."""
    if message.seq < 1:
        raise BadReportError("a batch without a number")
    if len(message.rows) > ROWS_MAX:
        raise BadReportError(f"{len(message.rows)} rows in one batch, at most {ROWS_MAX}")
    proxy = _proxy(message.proxy) if message.HasField("proxy") else None
    rows = tuple(_row(row) for row in message.rows)
    return Batch(
        seq=message.seq,
        closed_through_slot=message.closed_through_slot,
        rows=rows,
        proxy=proxy,
        late_outcomes=message.late_outcomes_total,
        shed=message.shed_total,
        proxy_read_elsewhere=message.proxy_read_elsewhere,
        feedback=feedback_of(message.feedback),
    )


def batch_from_bytes(payload: bytes) -> Batch:
    """A batch as it was stored. Raises BadReportError."""
    try:
        return batch_of(outcomes_pb2.Batch.FromString(payload))
    except DecodeError as error:
        raise BadReportError("not a batch") from error


def _row(row: outcomes_pb2.SlotRow) -> Row:
    if row.weight_bp > 10_000:
        raise BadReportError(f"weight {row.weight_bp} bp in a row, at most 10000")
    if row.routing_mismatches > row.requests:
        raise BadReportError("more routing mismatches than requests in a row")
    if len(row.slices) > WORD_CHARS_MAX:
        raise BadReportError(f"slices of {len(row.slices)} characters in a row, at most {WORD_CHARS_MAX}")
    return Row(
        service=row.service,
        rollout=row.rollout,
        snapshot=row.snapshot,
        slot=row.slot,
        weight_bp=row.weight_bp,
        weight_class=row.weight_class,
        cohort=row.cohort,
        version=row.version,
        requests=row.requests,
        routing_mismatches=row.routing_mismatches,
        metrics={metric.metric: _metric(metric, row.requests) for metric in row.metrics},
        classes={entry.outcome_class: entry.count for entry in row.classes},
        histograms=_histograms(row),
        slices=row.slices,
    )


def _histograms(row: outcomes_pb2.SlotRow) -> dict[str, HistogramCount]:
    bins: dict[str, dict[int, int]] = {}
    for each in row.histograms:
        name = each.metric
        if not name or len(name) > NAME_CHARS_MAX or name in bins or len(bins) >= HISTOGRAMS_MAX:
            raise BadReportError(f"histogram {name[:NAME_CHARS_MAX]!r} has no name, stands twice, or is one too many")
        bins[name] = bins_of(each.bins, each.counts, requests=row.requests)
    if len(row.firsts) > HISTOGRAMS_MAX:
        raise BadReportError(f"{len(row.firsts)} kinds of firsts, at most {HISTOGRAMS_MAX}")
    return histograms_of(bins, ((each.metrics, each.keys, each.firsts) for each in row.firsts))


def _metric(metric: outcomes_pb2.MetricRow, requests: int) -> MetricCount:
    if not metric.bad <= metric.observed <= requests:
        raise BadReportError(
            f"metric {metric.metric}: {metric.bad} bad of {metric.observed} observed of {requests} requests"
        )
    if len(metric.keys_ok) + len(metric.keys_bad) > KEYS_MAX:
        raise BadReportError(f"metric {metric.metric}: more than {KEYS_MAX} keys in one row")
    bad = frozenset(metric.keys_bad)
    ok = frozenset(metric.keys_ok) - bad
    if len(bad) > metric.bad or len(bad) + len(ok) > metric.observed:
        raise BadReportError(f"metric {metric.metric}: more keys than requests in one row")
    return MetricCount(metric.observed, metric.bad, ok, bad)


def _proxy(proxy: outcomes_pb2.ProxyCounters) -> ProxyCounters:
    return ProxyCounters(
        answered=proxy.answered_total,
        untagged=proxy.untagged_total,
        logs_written=proxy.logs_written_total,
        logs_lost=proxy.logs_lost_total,
        clusters=tuple(ClusterHealth(c.cluster, c.endpoints, c.healthy) for c in proxy.clusters),
        read_ms=proxy.read_ms,
    )


def policy_message(services: Sequence[ServicePolicy]) -> outcomes_pb2.Policy:
    """The cohort policy of all services, with a version that is a hash of its content."""
    message = outcomes_pb2.Policy(services=[_service(service) for service in sorted(services, key=lambda s: s.service)])
    message.version = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]
    return message


def _service(policy: ServicePolicy) -> outcomes_pb2.ServicePolicy:
    tokens = None
    if policy.tokens is not None:
        tokens = outcomes_pb2.TokenPolicy(key_file=policy.tokens.key_file, versions=policy.tokens.versions)
    feedback = None
    if policy.feedback is not None:
        feedback = outcomes_pb2.FeedbackPolicy(key=policy.feedback.key, token_file=policy.feedback.token_file)
    return outcomes_pb2.ServicePolicy(
        service=policy.service,
        salt=policy.salt,
        baseline=policy.baseline,
        sticky=[outcomes_pb2.StickySource(kind=source.kind.value, name=source.name) for source in policy.sticky],
        cohorts=[_cohort(rule) for rule in policy.cohorts],
        observe_body=policy.observe_body,
        observe_sampled=policy.observe_sampled,
        follow_up_ms=policy.follow_up_ms,
        tokens=tokens,
        feedback=feedback,
        slices=map(_dimension, policy.slices),
    )


def _dimension(dimension: SliceDimension) -> outcomes_pb2.SliceDimension:
    values = [_cohort(CohortRule(value.name, value.when)) for value in dimension.values]
    return outcomes_pb2.SliceDimension(name=dimension.name, values=values)


def _cohort(rule: CohortRule) -> outcomes_pb2.CohortRule:
    """The plain header tests of the first release go in its form, which an older sidecar understands."""
    match rule.when:
        case TextTest(Source.HEADER, name, Op.EXACT, (operand,)):
            return outcomes_pb2.CohortRule(name=rule.name, header=name, exact=operand, pin=rule.pin)
        case TextTest(Source.HEADER, name, Op.PREFIX, (operand,)):
            return outcomes_pb2.CohortRule(name=rule.name, header=name, prefix=operand, pin=rule.pin)
        case TextTest(Source.HEADER, name, Op.IN, operands):
            message = outcomes_pb2.CohortRule(name=rule.name, header=name, pin=rule.pin)
            getattr(message, "in").values.extend(operands)
            return message
    return outcomes_pb2.CohortRule(name=rule.name, when=_condition(rule.when), pin=rule.pin)


def _condition(condition: Condition) -> outcomes_pb2.Condition:
    match condition:
        case TextTest(source, name, op, operands):
            text = outcomes_pb2.TextTest(source=source.value, name=name, op=op.value, operands=operands)
            return outcomes_pb2.Condition(text=text)
        case ModuloTest(source, name, divisor, remainders):
            modulo = outcomes_pb2.ModuloTest(source=source.value, name=name, divisor=divisor, remainders=remainders)
            return outcomes_pb2.Condition(modulo=modulo)
        case AddressTest(networks):
            return outcomes_pb2.Condition(networks=outcomes_pb2.StringList(values=networks))
        case GeoTest(file, countries, continents, regions):
            geo = outcomes_pb2.GeoTest(file=file, countries=countries, continents=continents, regions=regions)
            return outcomes_pb2.Condition(geo=geo)
        case TimeTest(after_s, before_s, days, from_minute, until_minute):
            time = outcomes_pb2.TimeTest(days=days, from_minute=from_minute, until_minute=until_minute)
            if after_s is not None:
                time.after_s = after_s
            if before_s is not None:
                time.before_s = before_s
            return outcomes_pb2.Condition(time=time)
        case ShareTest(share_bp, salt):
            return outcomes_pb2.Condition(share=outcomes_pb2.ShareTest(share_bp=share_bp, salt=salt))
        case AllOf(parts):
            return outcomes_pb2.Condition(all_of=outcomes_pb2.ConditionList(parts=map(_condition, parts)))
        case AnyOf(parts):
            return outcomes_pb2.Condition(any_of=outcomes_pb2.ConditionList(parts=map(_condition, parts)))
        case Not(part):
            return outcomes_pb2.Condition(negated=_condition(part))
