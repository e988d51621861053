"""One group of proxies as the server keeps it: what is in force, who runs what, and what was sent of late. No I/O."""

from dataclasses import dataclass, field, replace

from controlplane.snapshot.resource import CLUSTER, ResourceSet, opaque
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import DeltaRequest, Node, Request
from controlplane.xds.fleet import Fleet
from controlplane.xds.history import History


@dataclass(slots=True)
class Group:
    snapshot: Snapshot | None = None
    fleet: Fleet = field(default_factory=Fleet)
    history: History = field(default_factory=History)

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.history.publish(snapshot)

    def recognised(self, request: Request | DeltaRequest, node: Node | None) -> Request | DeltaRequest:
        """The first request of a type with what its client brings from before, as far as that is known."""
        if isinstance(request, DeltaRequest):
            return replace(request, brought=self._held(request, node)) if request.initial else request
        return replace(request, brought=self.history.brought(request.type_url, request.version, request.names))

    def _held(self, request: DeltaRequest, node: Node | None) -> ResourceSet:
        if request.type_url == CLUSTER and self.fleet.distrusts(node):
            # Measured: after a refusal, Envoy's list of what it holds is that of before the refused response.
            return ResourceSet.of(opaque(name, CLUSTER, "") for name in request.initial)
        target = self.snapshot.incremental if self.snapshot is not None else Snapshot({})
        return self.history.held(request.type_url, request.initial, target.of_type(request.type_url))
