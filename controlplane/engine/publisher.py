"""From a target to what the proxies hold: make before break, one phase after the other, each gated on the fleet.

A proxy that is away or slow does not block the others for ever: after PHASE_MS_MAX the next phase goes out, and the
slow one gets a consistent set when it comes back (its stream sends clusters before the routes that name them).
"""

from collections.abc import Sequence

from controlplane.rollout.events import FleetFact
from controlplane.snapshot.assemble import BuildCache, build
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.resource import ROUTE
from controlplane.snapshot.route import service_snapshot
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.transition import phases
from controlplane.telemetry.catalogue import XDS_PROPAGATION
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.fleet import NodeView
from controlplane.xds.server import AdsServer

# A cluster of dead endpoints warms until its first health check has failed (seconds); half a minute is the time that
# a proxy may be away before the others go on without it.
PHASE_MS_MAX = 30_000


class Publisher:
    def __init__(self, ads: AdsServer, gateway: Gateway, exporter: Exporter) -> None:
        self._ads = ads
        self._gateway = gateway
        self._exporter = exporter
        self._cache = BuildCache()
        self._services: dict[str, ServiceRoute] = {}
        self._waiting: list[Snapshot] = []
        self._phase_since_ms = 0
        self._target_since_ms: int | None = None
        self._target: Snapshot | None = None
        self._published: Snapshot | None = None

    def target(self, services: Sequence[ServiceRoute], now_ms: int) -> None:
        """Head for these services. The first phase goes out at once. Raises SnapshotError; then nothing changes."""
        snapshot = build(services, self._gateway, self._cache)
        self._services = {service.name: service for service in services}
        if self._target is not None and snapshot.version == self._target.version:
            return
        self._target = snapshot
        self._target_since_ms = now_ms
        # With nobody connected there is nothing to break, and a proxy that starts must not serve a half-made set.
        self._waiting = phases(self._published, snapshot) if self._ads.fleet.connected else [snapshot]
        self._publish_next(now_ms)

    def tick(self, now_ms: int) -> None:
        """Go on to the next phase once the fleet has this one, or has had its time."""
        if self._published is None:
            return
        has_all = self._ads.fleet.has_accepted(self._published)
        if self._waiting and (has_all or now_ms - self._phase_since_ms >= PHASE_MS_MAX):
            self._publish_next(now_ms)
        elif not self._waiting and has_all and self._target_since_ms is not None:
            self._exporter.observe(XDS_PROPAGATION, (now_ms - self._target_since_ms) / 1000)
            self._target_since_ms = None

    def _publish_next(self, now_ms: int) -> None:
        if not self._waiting:
            return
        self._published = self._waiting.pop(0)
        self._phase_since_ms = now_ms
        self._ads.publish(self._published)

    def fleet_fact(self) -> FleetFact:
        """Who is connected, who has not got the target yet, and who rejected what is in force."""
        fleet = self._ads.fleet
        waiting = fleet.waiting_for(self._target) if self._target is not None else self.connected_nodes()
        return FleetFact(
            connected=len(fleet.connected),
            waiting=tuple(sorted(waiting)),
            rejections=tuple(f"{node_id}: {nack.message}" for node_id, nack in fleet.nacks()),
        )

    def connected_nodes(self) -> tuple[str, ...]:
        """The ids of the proxies that are connected now."""
        return tuple(view.node.node_id for view in self._ads.fleet.connected)

    def route_snapshot(self, service: str) -> str:
        """The routing revision of a service, as it stands in its routes' metadata and comes back with each outcome."""
        return service_snapshot(self._services[service]) if service in self._services else ""

    def route_versions(self, node: NodeView) -> tuple[str, str]:
        """(accepted by the node, published) versions of the routes."""
        published = self._published.versions.get(ROUTE, "") if self._published else ""
        return node.accepted.get(ROUTE, ""), published
