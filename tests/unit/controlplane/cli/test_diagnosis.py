"""What the doctor concludes: what is wrong comes first and says what to do."""

from controlplane.cli import diagnosis
from controlplane.cli.diagnosis import Answer, Check, State
from serinus.v1 import admin_pb2

UP = {"state": "up to date", "sidecar_connected": True}


def answers(*errors: str | None) -> list[Answer]:
    """Of control plane, sidecar and Envoy; None: nothing answered."""
    names = ("control plane", "sidecar", "envoy")
    return [
        Answer(name, "127.0.0.1:1", is_there=error is not None, error="refused" if error is None else error)
        for name, error in zip(names, errors, strict=True)
    ]


def test_where_nothing_runs_nothing_is_wrong() -> None:
    (check,) = diagnosis.parts(answers(None, None, None))
    assert (check.state, check.next_step) == (State.NOTE, "serinus up -f FILE, or serinus demo")


def test_a_part_that_is_missing_or_not_ready_is_a_fault_with_a_next_step() -> None:
    plane, sidecar, envoy = diagnosis.parts(answers("", "no cohort policy yet", None))
    assert plane.state is State.OK
    assert (sidecar.state, sidecar.text) == (State.FAIL, "127.0.0.1:1 is not ready: no cohort policy yet")
    assert (envoy.state, envoy.text) == (State.FAIL, "127.0.0.1:1 does not answer: refused")
    assert "serinus bootstrap" in envoy.next_step


def test_a_proxy_that_is_well_is_one_line() -> None:
    (check,) = diagnosis.proxies([admin_pb2.ProxyView(node="edge", **UP)])
    assert (check.name, check.state) == ("proxy edge", State.OK)


def test_everything_that_is_wrong_with_a_proxy_is_said() -> None:
    clusters = [
        admin_pb2.ClusterHealthView(cluster="chat/v2", endpoints=2, healthy=0),
        admin_pb2.ClusterHealthView(cluster="chat/v1", endpoints=2, healthy=1),
    ]
    view = admin_pb2.ProxyView(node="edge", state="rejected", last_error="no such filter", clusters=clusters)
    texts = [check.text for check in diagnosis.proxies([view])]
    assert texts == [
        "rejects its configuration: no such filter",
        "has no sidecar: requests pass untagged, and rollouts hold",
        "finds no healthy server of chat/v2",
    ]


def test_a_proxy_that_is_behind_and_a_fleet_of_none_are_warnings() -> None:
    (behind,) = diagnosis.proxies([admin_pb2.ProxyView(node="edge", **{**UP, "state": "updating"})])
    (none,) = diagnosis.proxies([])
    assert behind.state is none.state is State.WARN


def test_running_rollouts_are_noted_and_strangers_warned_of() -> None:
    views = [
        admin_pb2.RolloutView(name="a", phase="observing", message="held"),
        admin_pb2.RolloutView(name="b", terminal=True),
    ]
    (note,) = diagnosis.rollouts(views)
    assert (note.state, note.text, note.next_step) == (State.NOTE, "observing: held", "serinus explain a")
    (stranger,) = diagnosis.refusals([admin_pb2.RefusalView(reason="unknown node")])
    assert (stranger.name, stranger.state) == ("proxy ?", State.WARN)


def test_the_worst_comes_first_and_decides() -> None:
    checks = [Check("a", State.OK, ""), Check("b", State.WARN, ""), Check("c", State.FAIL, "", "mend it")]
    assert [check.name for check in diagnosis.ranked(checks)] == ["c", "b", "a"]
    assert not diagnosis.is_well(checks)
    assert diagnosis.is_well(checks[:2])
    assert diagnosis.as_data(checks[2:]) == {
        "ok": False,
        "checks": [{"check": "c", "state": "fail", "text": "", "next": "mend it"}],
    }
