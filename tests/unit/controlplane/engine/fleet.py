"""A fleet that the test plays: what `AdsServer` is to the engine, without streams."""

from collections import Counter
from collections.abc import Mapping

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET, VIRTUAL_HOST
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import Accepted, Node, Rejected
from controlplane.xds.fleet import Fleet, FleetView
from controlplane.xds.groups import GroupBook

CLUSTERS = (CLUSTER, ENDPOINT, SECRET)
ROUTES = (EXTENSION, LISTENER, ROUTE, VIRTUAL_HOST)


class PlayedFleet:
    """`published`: what each group was sent, oldest first."""

    def __init__(self) -> None:
        self.published: dict[str, list[Snapshot]] = {}
        self.book = GroupBook()
        self.stream_count, self.pushes_total, self.nacks_total = 0, Counter[str](), Counter[str]()
        self._fleets: dict[str, Fleet] = {}
        self._streams = 0
        self._stream_of: dict[str, int] = {}

    def set_groups(self, book: GroupBook) -> None:
        self.book = book

    def publish(self, group: str, snapshot: Snapshot) -> None:
        self.published.setdefault(group, []).append(snapshot)

    def fleet(self, group: str) -> FleetView:
        return self._fleet(group).view(0)

    def _fleet(self, group: str) -> Fleet:
        return self._fleets.setdefault(group, Fleet())

    # --- what the test says ---

    def connect(self, *node_ids: str, group: str = "default", mode: Mode = Mode.SOTW) -> None:
        for node_id in node_ids:
            self._streams += 1
            self._stream_of[node_id] = self._streams
            self._fleet(group).opened(self._streams, Node(node_id, group), mode, 0)

    def leave(self, node_id: str, group: str = "default") -> None:
        self._fleet(group).closed(self._stream_of[node_id], node_id)

    def accept(
        self, *node_ids: str, group: str = "default", types: tuple[str, ...] = CLUSTERS + ROUTES, back: int = 0
    ) -> None:
        """These nodes run the newest snapshot, of these types; or the one `back` before it."""
        snapshot = self.published[group][-1 - back]
        for node_id in node_ids:
            view = self.fleet(group).nodes[node_id]
            for type_url, version in _versions(view.wanted(snapshot), types).items():
                self._fleet(group).answered(self._stream_of[node_id], node_id, Accepted(type_url, version))

    def reject(self, node_id: str, type_url: str, message: str, group: str = "default") -> None:
        version = self.published[group][-1].of_type(type_url).version
        self._fleet(group).answered(self._stream_of[node_id], node_id, Rejected(type_url, version, message))


def _versions(wanted: Mapping[str, str], types: tuple[str, ...]) -> Mapping[str, str]:
    return {type_url: version for type_url, version in wanted.items() if type_url in types}
