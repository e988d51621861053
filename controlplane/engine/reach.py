"""How far each proxy of a group has come: which of the group's publications it runs, and what that says of a service.

A service is in force on a proxy that runs the publication in which its routes last changed, or a later one. So a
rollout waits for its own change only, never for the cluster or the weight of another service that went out after it.
Pure: no clock, no I/O.
"""

from collections import OrderedDict
from collections.abc import Mapping

from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.resource import EXTENSION, LISTENER, ROUTE, VIRTUAL_HOST
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.fleet import FleetView, NodeView

# What decides where a request goes. Clusters are there before a route names them (`snapshot/transition.py`).
_DECIDING = (EXTENSION, LISTENER, ROUTE, VIRTUAL_HOST)
# A proxy that still runs what was current this many changes ago counts as one that runs nothing that is known.
_VERSIONS_MAX = 4_096


class Reach:
    """Counts a group's publications from 1. A type's version stands for the newest publication that had it."""

    def __init__(self) -> None:
        self._count = 0
        self._snapshot: Snapshot | None = None
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._routes: Mapping[str, ServiceRoute] = {}
        self._since: dict[str, int] = {}
        self._fleet: FleetView | None = None
        self._ranks: list[tuple[int, str]] = []

    def publish(self, snapshot: Snapshot, routes: Mapping[str, ServiceRoute]) -> None:
        """A snapshot with these routes goes out."""
        self._count += 1
        self._snapshot, self._fleet = snapshot, None
        for view in (snapshot, snapshot.incremental):
            for type_url in _DECIDING:
                if type_url in view.versions:
                    self._newest[type_url, view.versions[type_url]] = self._count
                    self._newest.move_to_end((type_url, view.versions[type_url]))
        while len(self._newest) > _VERSIONS_MAX:
            self._newest.popitem(last=False)
        self._since = {
            name: self._since[name] if (before := self._routes.get(name)) is route or before == route else self._count
            for name, route in routes.items()
        }
        self._routes = routes

    def waiting_for(self, service: str, fleet: FleetView) -> tuple[str, ...]:
        """The ids of the connected nodes that do not run the service's published routes yet. Sorted."""
        since = self._since.get(service)
        if since is None:
            return tuple(sorted(view.node.node_id for view in fleet.connected))
        ranks = self._ranked(fleet)
        if not ranks or ranks[0][0] >= since:
            return ()
        return tuple(sorted(node_id for rank, node_id in ranks if rank < since))

    def _ranked(self, fleet: FleetView) -> list[tuple[int, str]]:
        """(publication, node id) of every connected node, the furthest behind first; worked out once a change."""
        if self._fleet is not fleet:
            self._fleet = fleet
            self._ranks = sorted((self._rank(view), view.node.node_id) for view in fleet.connected)
        return self._ranks

    def _rank(self, node: NodeView) -> int:
        """The newest publication that the node runs all of; 0: none that is known."""
        if self._snapshot is None:
            return 0
        wanted = node.wanted(self._snapshot)
        return min(
            (self._newest.get((kind, node.accepted.get(kind, "")), 0) for kind in _DECIDING if kind in wanted),
            default=0,
        )
