"""What one stream wants of one resource type, state of the world. Pure.

Rules (xDS protocol, "How the client specifies what resources to return"):
- Listener and Cluster: a first request without names is a wildcard (the legacy one); once a name was given, an empty
  list means nothing at all. Every other type: an empty list means nothing.
- `*` among the names is a wildcard, which explicit names may stand beside.
- The newest request of a type is the whole of what is wanted: names left out are no longer wanted.
"""

from dataclasses import dataclass

from controlplane.snapshot.resource import CLUSTER, LISTENER, ResourceSet
from controlplane.xds.errors import StreamError

WILDCARD = "*"
# Types that have a wildcard, and of which each response is the full state: what is absent is deleted.
FULL_STATE_TYPES = frozenset({CLUSTER, LISTENER})
# One Envoy asks for a route configuration per listener and an assignment per EDS cluster; Istio's largest meshes
# have some ten thousand clusters.
NAMES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """`has_named`: the client has named a resource, or `*`, so that an empty list no longer means everything."""

    type_url: str
    is_wildcard: bool = False
    names: frozenset[str] = frozenset()
    has_named: bool = False

    def updated(self, names: tuple[str, ...]) -> "Subscription":
        """The subscription after a request with these names. Raises StreamError if there are too many."""
        if len(names) > NAMES_MAX:
            raise StreamError(f"{len(names)} resource names in one request, at most {NAMES_MAX} are taken")
        if not names and not self.has_named:
            return Subscription(self.type_url, is_wildcard=self.type_url in FULL_STATE_TYPES)
        explicit = frozenset(names) - {WILDCARD}
        return Subscription(self.type_url, is_wildcard=WILDCARD in names, names=explicit, has_named=True)

    @property
    def is_empty(self) -> bool:
        return not self.is_wildcard and not self.names

    def of(self, resources: ResourceSet) -> ResourceSet:
        """The wanted part of what there is. A name that does not exist is remembered, and sent when it appears."""
        return resources if self.is_wildcard else resources.only(self.names)

    def lacks(self, sent: ResourceSet | None, wanted: ResourceSet) -> bool:
        """Whether `wanted` must be sent to a client whose last response on this stream held `sent`.

        Full-state types: when anything differs, also a removal, and once at first, even if there is nothing. Other
        types cannot be deleted by a response: only when something is new or changed.
        """
        if self.is_empty:
            return False
        if self.type_url in FULL_STATE_TYPES:
            return sent is None or sent.version != wanted.version
        held = sent.resources if sent is not None else {}
        return any(name not in held or held[name].version != item.version for name, item in wanted.resources.items())
