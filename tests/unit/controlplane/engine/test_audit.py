"""What people did, as it stands in the journal."""

from dataclasses import replace

import pytest

from controlplane.engine.audit import JOURNAL, OBJECTS_MAX, applied, audited, commanded
from controlplane.engine.world import Change
from controlplane.rollout.events import Abort, Pause
from controlplane.security.identity import Caller, Identity
from controlplane.store.port import StoreError

ANN = Caller(Identity("certificate", "operator"), "10.0.0.7", "ann")


def test_an_act_says_who_what_when_why_and_from_where() -> None:
    (record,) = commanded(ANN, "chat-v2", Abort(5_000, ANN.actor, "wrong build"))
    act = audited(replace(record, serial=7))
    assert (record.rollout, record.moved, act.serial, act.at_ms) == (JOURNAL, False, 7, 5_000)
    assert (act.actor, act.claimed) == ("ann (certificate spiffe://serinus/operator)", "ann")
    assert (act.verb, act.objects, act.reason) == ("Abort", ("rollout/chat-v2",), "wrong build")
    assert (act.address, act.role) == ("10.0.0.7", "operator")
    assert act.identity == "certificate spiffe://serinus/operator"


def test_an_apply_names_what_it_touched_within_bounds_and_nothing_of_the_manifests() -> None:
    changes = [Change("Service", "chat", "configured"), Change("Rollout", "chat-v2", "unchanged")]
    assert audited(applied(ANN, changes, 1)[0]).objects == ("service/chat configured",)
    many = [Change("Service", f"s{number}", "created") for number in range(OBJECTS_MAX + 5)]
    objects = audited(applied(ANN, many, 1)[0]).objects
    assert (len(objects), objects[-1]) == (OBJECTS_MAX + 1, "and 5 more")


def test_what_changed_nothing_and_what_nobody_did_leaves_no_record() -> None:
    assert applied(ANN, [Change("Service", "chat", "unchanged")], 1) == []
    assert applied(None, [Change("Service", "chat", "created")], 1) == []
    assert commanded(None, "chat-v2", Pause(1, "ann", "")) == []


def test_a_record_that_is_none_of_the_audit_is_an_error() -> None:
    (record,) = commanded(ANN, "chat-v2", Pause(1, "ann", ""))
    with pytest.raises(StoreError, match="cannot be read"):
        audited(replace(record, state="{}"))
