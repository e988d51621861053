"""Which acts an audit request gets: the newest that fit, oldest first."""

import pytest

from controlplane.admin.audit.wire import AUDIT_READ_MAX, LIMIT_MAX, audit_response
from controlplane.engine.audit import commanded
from controlplane.rollout.events import Pause
from controlplane.security.identity import LOCAL, Caller
from serinus.v1 import admin_pb2

RECORDS = [
    commanded(Caller(LOCAL, "127.0.0.1", actor), rollout, Pause(at_ms, actor, "why"))[0]
    for at_ms, actor, rollout in [(1, "ann", "a"), (2, "bob", "b"), (3, "ann", "b"), (4, "bob", "ab")]
]


@pytest.mark.parametrize(
    ("request_", "times", "more"),
    [
        (admin_pb2.AuditRequest(), [1, 2, 3, 4], False),
        (admin_pb2.AuditRequest(limit=2), [3, 4], True),
        (admin_pb2.AuditRequest(limit=4), [1, 2, 3, 4], False),
        (admin_pb2.AuditRequest(actor="ann"), [1, 3], False),
        (admin_pb2.AuditRequest(object="rollout/b"), [2, 3], False),
        (admin_pb2.AuditRequest(since_ms=3), [3, 4], False),
        (admin_pb2.AuditRequest(actor="eve"), [], False),
    ],
)
def test_the_newest_that_fit_come_oldest_first(request_: admin_pb2.AuditRequest, times: list[int], more: bool) -> None:
    response = audit_response(request_, RECORDS)
    assert [entry.at_ms for entry in response.entries] == times
    assert response.more is more


def test_an_answer_is_bounded_and_says_when_older_ones_were_not_looked_at() -> None:
    many = [RECORDS[0]] * AUDIT_READ_MAX
    assert len(audit_response(admin_pb2.AuditRequest(limit=1 << 31), many).entries) == LIMIT_MAX
    assert audit_response(admin_pb2.AuditRequest(actor="eve"), many).more is True
