"""What stands in a release record beside the rollout's own: who and what ran, findings, slices, audit. No I/O.

All of it is what the admin API answers; nothing is left out because it looks bad, and what could not be read is said.
"""

from collections.abc import Iterator

from controlplane.dashboard.record import Section
from controlplane.dashboard.report import utc
from serinus.v1 import admin_pb2

FAULTS = (
    ("routing_mismatches", "requests on the wrong version"),
    ("untagged_recent", "requests untagged of late"),
    ("lost_entries_recent", "log entries lost of late"),
)
AUDIT_HEADINGS = ("at (UTC)", "who", "role", "verb", "what", "from", "why")
PROXY_HEADINGS = ("proxy", "group", "Envoy", "state", "configuration", "last rejection")
SLICE_HEADINGS = (
    "by",
    "slice",
    "metric",
    "baseline, bad requests",
    "candidate, bad requests",
    "evidence (ln)",
    "named",
)


def release_section(told: admin_pb2.ExplainResponse, *, serinus_version: str) -> Section:
    """What ran, who had a hand in it, and by which configuration."""
    view = told.rollout
    acted = [event for event in told.events if event.actor]
    rows = [
        ("service", view.service),
        ("baseline", view.baseline),
        ("candidate", view.candidate),
        ("begun by", acted[0].actor if acted else "not recorded"),
        ("people who acted on it", ", ".join(dict.fromkeys(event.actor for event in acted)) or "none"),
        ("began", f"{utc(view.started_at_ms)} UTC"),
        ("ended", f"{utc(view.ended_at_ms)} UTC" if view.ended_at_ms else "it still runs"),
        ("sha256 of the rollout's spec", told.rollout_sha256 or "not told"),
        ("sha256 of the service's spec, when this was written", told.service_sha256 or "not told"),
        ("journal", f"revision {view.revision}"),
        ("written by", f"serinus {serinus_version}, {utc(view.now_ms)} UTC"),
    ]
    return Section("The release", tuple(rows), headings=("what", "which"))


def findings_section(view: admin_pb2.RolloutView) -> Section:
    """What should be known beside the verdict, Envoy's own words among it."""
    rows = [("finding", text) for text in view.findings]
    rows += [("fault", f"{getattr(view, name)} {what}") for name, what in FAULTS if getattr(view, name)]
    rows += [(f"rejected by {each.node}", f"{each.type}: {each.message}") for each in view.rejections]
    note = "" if rows else "Nothing: no finding, no request on the wrong version, no rejected configuration."
    return Section("Findings", tuple(rows), headings=("kind", "what"), note=note)


def appendix(
    told: admin_pb2.ExplainResponse,
    proxies: admin_pb2.GetResponse,
    audit: admin_pb2.AuditResponse | None,
    *,
    unread: str,
) -> Iterator[Section]:
    """`audit` is None where the caller may not read it; `unread` says why."""
    if told.rollout.slices:
        rows = tuple(_slice(row) for row in told.rollout.slices)
        yield Section("Slices", rows, headings=SLICE_HEADINGS, note="Shown, never decisive.")
    yield _audit(audit, unread)
    rows = tuple(_proxy(each) for each in proxies.proxies)
    note = "" if rows else "None is connected."
    yield Section("Proxies when this was written", rows, headings=PROXY_HEADINGS, note=note)


def _slice(row: admin_pb2.SliceView) -> tuple[str, ...]:
    return (
        row.dimension,
        row.value,
        row.metric or "errors",
        f"{row.baseline_bad} of {row.baseline_requests}",
        f"{row.candidate_bad} of {row.candidate_requests}",
        f"{row.worse_log_e:.1f}",
        "worse" if row.named else "-",
    )


def _audit(audit: admin_pb2.AuditResponse | None, unread: str) -> Section:
    if audit is None:
        return Section("Audit", note=f"Not in this record: {unread}")
    rows = tuple(
        (utc(one.at_ms), one.actor, one.role, one.verb, ", ".join(one.objects), one.address, one.reason or "-")
        for one in audit.entries
    )
    note = "There are older acts than these." if audit.more else "" if rows else "No act of a person is recorded."
    return Section("Audit", rows, headings=AUDIT_HEADINGS, note=note)


def _proxy(each: admin_pb2.ProxyView) -> tuple[str, ...]:
    return (
        each.node,
        each.group,
        each.envoy_version or "-",
        each.state,
        each.accepted_routes or "-",
        each.last_error or "-",
    )
