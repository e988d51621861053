"""What one stream wants of one resource type. Pure.

Rules (xDS protocol, "How the client specifies what resources to return"):
- Listener and Cluster: a first request without names is a wildcard (the legacy one). State of the world: once a name
  was given, an empty list means nothing at all. Every other type: an empty list means nothing.
- `*` among the names is a wildcard, which explicit names may stand beside; either may be dropped without the other.
- State of the world: the newest request of a type is the whole of what is wanted. Incremental: names are added and
  taken away; taking away what was never wanted changes nothing.
- Virtual hosts (VHDS, incremental only): Envoy 1.40 opens a wildcard, as above; a name is that of a route
  configuration, and stands for all that are named `<it>/…`.
"""

from dataclasses import dataclass
from functools import lru_cache

from controlplane.snapshot.resource import CLUSTER, LISTENER, VIRTUAL_HOST, ResourceSet, difference
from controlplane.xds.errors import StreamError

WILDCARD = "*"
# Types that have a wildcard, and of which each state-of-the-world response is the full state: what is absent is
# deleted.
FULL_STATE_TYPES = frozenset({CLUSTER, LISTENER})
_LEGACY_WILDCARD_TYPES = FULL_STATE_TYPES | {VIRTUAL_HOST}
# One Envoy asks for a route configuration per listener and an assignment per EDS cluster; Istio's largest meshes
# have some ten thousand clusters.
NAMES_MAX = 100_000
# Envoys of one group want the same: what they want is cut out of a set once for all of them.
_MEMO_MAX = 256


@dataclass(frozen=True, slots=True)
class Subscription:
    """`has_named`: the client has named a resource, or `*`, so that an empty list no longer means everything."""

    type_url: str
    is_wildcard: bool = False
    names: frozenset[str] = frozenset()
    has_named: bool = False

    def updated(self, names: tuple[str, ...]) -> "Subscription":
        """State of the world: after a request with these names. Raises StreamError if there are too many."""
        if not names and not self.has_named:
            return Subscription(self.type_url, is_wildcard=self.type_url in FULL_STATE_TYPES)
        explicit = frozenset(names) - {WILDCARD}
        _check_count(explicit)
        return Subscription(self.type_url, is_wildcard=WILDCARD in names, names=explicit, has_named=True)

    def changed(self, subscribe: tuple[str, ...], unsubscribe: tuple[str, ...], *, is_first: bool) -> "Subscription":
        """Incremental: after a request with these lists. Raises StreamError if too many names are wanted then."""
        is_legacy = is_first and not subscribe and self.type_url in _LEGACY_WILDCARD_TYPES
        is_wildcard = (self.is_wildcard or is_legacy or WILDCARD in subscribe) and WILDCARD not in unsubscribe
        names = (self.names | frozenset(subscribe)) - frozenset(unsubscribe) - {WILDCARD}
        _check_count(names)
        return Subscription(self.type_url, is_wildcard=is_wildcard, names=names, has_named=True)

    @property
    def is_empty(self) -> bool:
        return not self.is_wildcard and not self.names

    def of(self, resources: ResourceSet) -> ResourceSet:
        """The wanted part of what there is. A name that does not exist is remembered, and sent when it appears."""
        return resources if self.is_wildcard else _cut(self, resources)

    def lacks(self, sent: ResourceSet | None, wanted: ResourceSet) -> bool:
        """State of the world: whether `wanted` must be sent to a client whose last response held `sent`.

        Full-state types: when anything differs, also a removal, and once at first, even if there is nothing. Other
        types cannot be deleted by a response: only when something is new or changed.
        """
        if self.is_empty:
            return False
        if self.type_url in FULL_STATE_TYPES:
            return sent is None or sent.version != wanted.version
        return bool(difference(sent, wanted).changed) if sent is not None else bool(len(wanted))


def _check_count(names: frozenset[str]) -> None:
    if len(names) > NAMES_MAX:
        raise StreamError(f"{len(names)} resource names are wanted of one type, at most {NAMES_MAX} are taken")


@lru_cache(maxsize=_MEMO_MAX)
def _cut(subscription: Subscription, resources: ResourceSet) -> ResourceSet:
    if subscription.type_url != VIRTUAL_HOST:
        return resources.only(subscription.names)
    return resources.only({name for name in resources.names if _collection(name) in subscription.names})


def _collection(name: str) -> str:
    return name.rpartition("/")[0]
