"""What the API says of groups, of strangers, and what it notes of a rollout. Proxies and rollouts are shown in tests/e2e, from a whole engine."""

from dataclasses import dataclass, field

from controlplane.admin.wire import group_view, refusal_view, rollout_view, service_view
from controlplane.engine.drift import RolloutDrift
from controlplane.engine.evidence import Sample
from controlplane.engine.group import Group
from controlplane.engine.labels import RolloutLabels
from controlplane.engine.routing import GroupTarget
from controlplane.engine.server_logs import LogRates
from controlplane.engine.slices import RolloutSlices
from controlplane.engine.world import Service
from controlplane.evidence.finding import Finding, Named
from controlplane.rollout.model import RolledBack, Rollout
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import ROUTE
from controlplane.xds.events import Node
from controlplane.xds.server import Refusal
from tests.unit.controlplane.engine.fleet import PlayedFleet
from tests.unit.controlplane.engine.paths import CALM, LATE, path
from tests.unit.controlplane.rollout.facts import T0_MS, rollout
from tests.unit.controlplane.snapshot.factory import service


def test_a_group_tells_how_many_of_its_proxies_run_what_is_published() -> None:
    fleet = PlayedFleet()
    group = Group("default", fleet, proxy_timeout_ms=1_000)  # type: ignore[arg-type]
    assert group_view(group).up_to_date == 0
    target = GroupTarget(Gateway(listen_host="::1", listen_port=80), (service("chat"),), nodes=("e-*",))
    group.take(group.plan(target, {}, 0), 0)
    fleet.connect("e-1", "e-2", "e-3")
    fleet.accept("e-1", "e-2")
    fleet.reject("e-2", ROUTE, "no")
    view = group_view(group)
    assert (view.name, view.listen, list(view.nodes), list(view.services)) == ("default", "[::1]:80", ["e-*"], ["chat"])
    assert (view.connected, view.up_to_date) == (3, 1)


def test_a_stranger_is_shown_with_what_it_said_and_why_it_was_refused() -> None:
    view = refusal_view(Refusal(Node("x-1", "elsewhere"), "no such group", at_ms=5), at_ms=1_000)
    assert (view.node, view.cluster, view.reason, view.at_ms) == ("x-1", "elsewhere", "no such group", 1_000)


def test_a_service_says_its_data_path_and_why() -> None:
    spec = service(datapath="auto", sticky=[{"cookie": "uid"}, {"header": "x-user-id"}]).spec
    view = service_view(Service("chat", spec, {}, "v1"), None)
    assert (view.datapath, view.datapath_chosen) == ("auto", "ext_proc")
    assert "several sources" in view.datapath_reason


@dataclass
class PlayedTracker:
    path: list[Sample]
    assessment: None = None
    looks: Named | None = None
    slices: RolloutSlices = field(default_factory=lambda: RolloutSlices({}, rollout="chat-v2", versions=("v1", "v2")))
    drift: RolloutDrift = field(default_factory=lambda: RolloutDrift({}, rollout="chat-v2", versions=("v1", "v2")))
    labels: RolloutLabels = field(default_factory=lambda: RolloutLabels(rollout().spec, since_slot=0))
    logs: LogRates = field(default_factory=LogRates)

    def named(self, snapshot: str) -> Named | None:
        assert snapshot == "", "an ended rollout has no snapshot in force"
        return self.looks

    def samples(self) -> list[Sample]:
        return self.path


class NothingPublished:
    def snapshot_of(self, rollout: Rollout) -> str:
        assert rollout.is_terminal
        return ""


@dataclass
class EngineAtRest:
    """What the view of a rollout that ended asks for."""

    trackers: dict[str, PlayedTracker]
    last: dict[str, object] = field(default_factory=dict)
    publisher: NothingPublished = field(default_factory=NothingPublished)
    unusual: dict[tuple[str, str], object] = field(default_factory=dict)

    def now_ms(self) -> int:
        return T0_MS + 1_000


def test_what_the_diagnostics_note_stands_under_the_findings_of_a_rollout() -> None:
    ended = rollout(RolledBack("worse", T0_MS))
    noted = rollout_view(EngineAtRest({ended.name: PlayedTracker(path(CALM, LATE))}), ended, ())  # type: ignore[arg-type]
    calm = rollout_view(EngineAtRest({ended.name: PlayedTracker(path(CALM, CALM))}), ended, ())  # type: ignore[arg-type]
    assert any("the candidate left what was usual" in each for each in noted.findings)
    assert list(calm.findings) == []


def test_what_the_evidence_looks_like_is_shown_by_its_name_and_nothing_where_nothing_stands_out() -> None:
    ended = rollout(RolledBack("worse", T0_MS))
    capacity = Named(Finding.CAPACITY, "too few replicas?")
    shown = [
        rollout_view(EngineAtRest({ended.name: PlayedTracker([], looks=looks)}), ended, ())  # type: ignore[arg-type]
        for looks in (capacity, None)
    ]
    assert [(each.finding, each.finding_text) for each in shown] == [("capacity", "too few replicas?"), ("", "")]
