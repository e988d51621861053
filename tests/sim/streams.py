"""The xDS side of a simulated control plane: the real publisher, fleet and stream machines, without gRPC and asyncio.

It does with their effects what `xds/server.py` does, by simulated time. Building a snapshot costs a millisecond, so a
whole process builds each only once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controlplane.engine.delivery import Delivery
from controlplane.engine.group import Group
from controlplane.engine.publisher import Publisher
from controlplane.engine.world import RolloutObject, Service, World
from controlplane.rollout.events import FleetFact
from controlplane.rollout.model import Promoted, Rollout
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST
from controlplane.snapshot.route import service_snapshot
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.transition import Publication
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.events import Accepted, DeltaSend, Linger, Lingered, Opened, Published, Rejected, Send
from controlplane.xds.fleet import Fleet, FleetView
from controlplane.xds.groups import GroupBook
from controlplane.xds.machine import Machine
from controlplane.xds.memo import Memo
from controlplane.xds.server import CLUSTER_LINGER_S
from tests.sim.plans import NAME, service_spec

SERVICE = "chat"
# A proxy that is cut off counts as having done its part after this.
PROXY_TIMEOUT_MS = 4_000
Runs = tuple[int, str]  # the share of users on v2 in basis points, and the routing revision

# Of this process: what was built for a publication, and what a proxy runs by the version of the routes that it holds.
_BUILT: dict[object, Snapshot] = {}
RUNS: dict[str, Runs] = {}
# Steps of machines are pure: those of all control planes of all runs are worked out once.
_MEMO = Memo()


class _Group(Group):
    """Remembers what it built."""

    def _build(self, gateway: Gateway, publication: Publication, files: Mapping[str, bytes]) -> Snapshot:
        route = publication.routes.get(SERVICE)
        key = (route, tuple(sorted(item.name for item in publication.clusters.values())))
        found = _BUILT.get(key)
        if found is None:
            found = _BUILT[key] = super()._build(gateway, publication, files)
            if route is not None:
                _remember(found, route)
        return found


def _remember(snapshot: Snapshot, route: ServiceRoute) -> None:
    weight_bp = route.rollout.weight_bp if route.rollout is not None else 10_000 * (route.baseline == "v2")
    for view, type_url in ((snapshot, ROUTE), (snapshot.incremental, VIRTUAL_HOST)):
        for each in view.of_type(type_url):
            if each.clusters:
                RUNS[each.version] = weight_bp, service_snapshot(route)


class _Publisher(Publisher):
    def _group(self, name: str) -> Group:
        if name not in self._made:
            self._made[name] = _Group(name, self._ads, proxy_timeout_ms=self._proxy_timeout_ms)
        return self._made[name]


@dataclass(slots=True)
class _Stream:
    stream_id: int
    machine: Machine
    node_id: str = ""
    due: list[tuple[int, Lingered]] = field(default_factory=list)


class Streams:
    """`outbox`: what is to be sent, as (stream, response), oldest first. The `rash` one sends routes first of all: a fault
    put in on purpose."""

    def __init__(self, rollout: Rollout, *, rash: bool = False) -> None:
        self.now_ms, self._is_rash = 0, rash
        self.outbox: list[tuple[int, Send | DeltaSend]] = []
        self._fleet = Fleet()
        self._streams: dict[int, _Stream] = {}
        self._snapshot: Snapshot | None = None
        self.publisher = _Publisher(self, Exporter(), proxy_timeout_ms=PROXY_TIMEOUT_MS)  # type: ignore[arg-type]
        self._delivery = Delivery(self.publisher, Gateway())
        self.bring(rollout)

    # --- what the publisher asks of `AdsServer` ---

    def set_groups(self, book: GroupBook) -> None: ...

    def publish(self, _: str, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        for stream in list(self._streams.values()):
            if stream.node_id:
                self._on(stream, Published(snapshot))

    def fleet(self, _: str) -> FleetView:
        return self._fleet.view(self.now_ms)

    # --- what the plane asks ---

    def bring(self, rollout: Rollout) -> None:
        """What is recorded goes out, as far as the fleet has come."""
        baseline = rollout.spec.candidate if isinstance(rollout.phase, Promoted) else rollout.baseline
        service = Service(SERVICE, service_spec(), {}, baseline)
        self._delivery.bring(World({SERVICE: service}, {NAME: RolloutObject(rollout, {})}), self.now_ms)

    def tick(self) -> None:
        for stream in list(self._streams.values()):
            for at_ms, event in list(stream.due):
                if at_ms <= self.now_ms:
                    stream.due.remove((at_ms, event))
                    self._on(stream, event)
        self.publisher.tick(self.now_ms)

    def fact(self) -> FleetFact:
        return self.publisher.fleet_fact(SERVICE)

    @property
    def nodes(self) -> list[str]:
        return sorted(view.node.node_id for view in self._fleet.view(self.now_ms).connected)

    @property
    def revision(self) -> str:
        """Of the routes that are to be in force."""
        return self.publisher.route_snapshot(SERVICE)

    # --- what proxies do ---

    def open(self, stream_id: int, mode: Mode) -> None:
        self._streams[stream_id] = _Stream(stream_id, Machine(mode, _MEMO))

    def request(self, stream_id: int, request: Any) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._on(stream, request)

    def close(self, stream_id: int) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None and stream.node_id:
            self._fleet.closed(stream_id, stream.node_id)

    def _on(self, stream: _Stream, event: Any) -> None:
        is_opened = False
        for effect in stream.machine.advance(event):
            match effect:
                case Send() | DeltaSend():
                    self.outbox.append((stream.stream_id, effect))
                case Opened(node):
                    self._fleet.opened(stream.stream_id, node, stream.machine.mode, self.now_ms)
                    stream.node_id, is_opened = node.node_id, True
                case Accepted() | Rejected():
                    self._fleet.answered(stream.stream_id, stream.node_id, effect)
                case Linger(generation):
                    due_ms = self.now_ms + round(CLUSTER_LINGER_S * 1_000)
                    stream.due.append((due_ms, Lingered(generation)))
        if is_opened and self._snapshot is not None and self._is_rash:
            self.outbox.append((stream.stream_id, _routes_at_once(stream.machine.mode, self._snapshot)))
        if is_opened and self._snapshot is not None:
            self._on(stream, Published(self._snapshot))


def _routes_at_once(mode: Mode, snapshot: Snapshot) -> Send | DeltaSend:
    if mode is Mode.SOTW:
        return Send(ROUTE, "rash", snapshot.of_type(ROUTE), "rash")
    return DeltaSend(VIRTUAL_HOST, "rash", tuple(snapshot.incremental.of_type(VIRTUAL_HOST)), (), "rash")
