"""What was sent of late, so that a proxy that comes back with old versions is understood. Bounded; no clock, no I/O.

A version that is not remembered (the control plane was restarted with other content) is opaque: the proxy holds
something of that name, and nobody here knows which clusters it names.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from controlplane.snapshot.resource import Resource, ResourceSet, opaque
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.subscription import FULL_STATE_TYPES

# A proxy that was away for this many publications is told everything anew. A set shares its resources with the others.
SETS_MAX = 256
# Single resources (for incremental clients), newest kept: a hundred publications of a thousand services.
RESOURCES_MAX = 100_000


class History:
    """Sets by (type, version), and single resources by (type, name, version)."""

    def __init__(self) -> None:
        self._sets: OrderedDict[tuple[str, str], ResourceSet] = OrderedDict()
        self._resources: OrderedDict[tuple[str, str, str], Resource] = OrderedDict()

    def publish(self, snapshot: Snapshot) -> None:
        """Remembers a snapshot as both kinds of stream see it."""
        for view in (snapshot, snapshot.incremental):
            for type_url, resources in view.types.items():
                self.remember(type_url, resources)

    def remember(self, type_url: str, resources: ResourceSet) -> None:
        """Remembers a set that is sent: a snapshot's, or one that a stream's own clusters stand in."""
        key = (type_url, resources.version)
        if key in self._sets:
            self._sets.move_to_end(key)
            return
        self._sets[key] = resources
        for item in resources:
            self._resources[type_url, item.name, item.version] = item
        while len(self._sets) > SETS_MAX:
            self._sets.popitem(last=False)
        while len(self._resources) > RESOURCES_MAX:
            self._resources.popitem(last=False)

    def brought(self, type_url: str, version: str, names: Iterable[str]) -> ResourceSet | None:
        """What a state-of-the-world client holds that names this version; None: nothing, or nobody knows which."""
        if not version:
            return None
        known = self._sets.get((type_url, version))
        if known is not None:
            return known
        if type_url in FULL_STATE_TYPES:
            return None
        return ResourceSet.of(opaque(name, type_url, version) for name in names)

    def held(self, type_url: str, versions: Mapping[str, str], current: ResourceSet) -> ResourceSet:
        """What an incremental client holds, by its `initial_resource_versions`; `current` itself if it is that."""
        is_current = len(versions) == len(current) and all(versions.get(item.name) == item.version for item in current)
        if is_current:
            return current
        return ResourceSet.of(
            self._resources.get((type_url, name, version)) or opaque(name, type_url, version)
            for name, version in versions.items()
        )
