"""The audit's journal -> the admin API's messages. Read only: there is no call that changes it."""

from collections.abc import Sequence
from dataclasses import asdict

from controlplane.engine.audit import audited
from controlplane.store.port import Record
from serinus.v1 import admin_pb2

LIMIT, LIMIT_MAX = 100, 1_000
# Looked through for a filter, newest first: some 30 ms. Who wants more reads the store's backup.
AUDIT_READ_MAX = 10_000


def audit_response(request: admin_pb2.AuditRequest, records: Sequence[Record]) -> admin_pb2.AuditResponse:
    """The newest acts that fit the request, oldest first. `records`: the newest AUDIT_READ_MAX, oldest first."""
    limit = min(request.limit or LIMIT, LIMIT_MAX)
    found: list[admin_pb2.AuditEntry] = []
    for record in reversed(records):
        if record.at_ms < request.since_ms or request.actor not in ("", record.actor):
            continue
        act = audited(record)
        if request.object and not any(request.object == named.split(" ", 1)[0] for named in act.objects):
            continue
        if len(found) == limit:
            return admin_pb2.AuditResponse(entries=found[::-1], more=True)
        found.append(admin_pb2.AuditEntry(**asdict(act)))
    is_cut = len(records) == AUDIT_READ_MAX and records[0].at_ms >= request.since_ms
    return admin_pb2.AuditResponse(entries=found[::-1], more=is_cut)
