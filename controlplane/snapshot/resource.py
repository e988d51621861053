"""Encoded xDS resources and their versions: immutable, hashed by content, shared by every stream.

A version is the hash of what was encoded, so two control planes, or one before and after a restart, give the same
content the same version (xDS: "version_info … belongs to the resource type").

A thousand streams that stand at one version share one set, and what leads from one set to another is computed once
for all of them: a push costs a stream what has changed, not what there is.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType

TYPE_PREFIX = "type.googleapis.com/"
CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINT = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
SECRET = TYPE_PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = TYPE_PREFIX + "envoy.config.core.v3.TypedExtensionConfig"
ROUTE = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
VIRTUAL_HOST = TYPE_PREFIX + "envoy.config.route.v3.VirtualHost"

# Two versions of each type, times the phases of a transition that streams may stand in, times a dozen groups.
_MEMO_MAX = 512


def content_hash(parts: Iterable[bytes]) -> str:
    """16 hex digits of sha256 over length-prefixed parts: 64 bits, where 2^32 contents make a clash likely."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource as it goes on the wire. `body` is the encoded message without its Any wrapper; it may hold a key,
    so it is never shown. `content` is that, or makes it: what is long is joined only where somebody sends it.

    `clusters` are the names of the clusters that it sends traffic to: what a proxy must hold before it may have it.
    `is_opaque`: a proxy says that it holds this version, whose content is not known here any more, nor its clusters.
    """

    name: str
    type_url: str
    content: bytes | Callable[[], bytes] = field(repr=False)
    version: str
    clusters: frozenset[str] = frozenset()
    is_opaque: bool = False

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content()

    def __eq__(self, other: object) -> bool:
        """Content equals content: the version is its hash, so bodies need not be compared."""
        return isinstance(other, Resource) and (self.name, self.version) == (other.name, other.version)

    def __hash__(self) -> int:
        return hash(self.version)


def opaque(name: str, type_url: str, version: str) -> Resource:
    """What a proxy brings from before this stream, or from another control plane."""
    return Resource(name, type_url, b"", version, is_opaque=True)


def resource(name: str, type_url: str, body: bytes, clusters: Iterable[str] = ()) -> Resource:
    """A resource with its content hash."""
    return Resource(name, type_url, body, content_hash((name.encode(), body)), frozenset(clusters))


def joined(
    name: str, type_url: str, join: Callable[[], bytes], made_of: Iterable[bytes], clusters: frozenset[str]
) -> Resource:
    """A resource whose bytes are joined when they are sent. `made_of` decides its version, so it must decide what
    `join` gives: hashing 3 MB of routes takes 6 ms, the versions of their parts a thousandth of that.
    """
    return Resource(name, type_url, join, content_hash((name.encode(), *made_of)), clusters)


@dataclass(frozen=True, eq=False)
class ResourceSet:
    """All resources of one type, by name, with one version for the whole: the hash of names and contents."""

    resources: Mapping[str, Resource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ordered = dict(sorted(self.resources.items()))
        object.__setattr__(self, "resources", MappingProxyType(ordered))

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> "ResourceSet":
        return cls({item.name: item for item in resources})

    @cached_property
    def version(self) -> str:
        return content_hash(f"{item.name}={item.version}".encode() for item in self)

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.resources)

    @cached_property
    def clusters(self) -> frozenset[str]:
        """Every cluster that a resource of the set sends traffic to."""
        return frozenset().union(*(item.clusters for item in self))

    @cached_property
    def has_opaque(self) -> bool:
        return any(item.is_opaque for item in self)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources.values())

    def __len__(self) -> int:
        return len(self.resources)

    def __contains__(self, name: object) -> bool:
        return name in self.resources

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceSet) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)

    def renewed(self, resources: Mapping[str, Resource]) -> "ResourceSet":
        """The set of these resources; this set itself if that is what it holds."""
        return self if self.resources == resources else ResourceSet(resources)

    def only(self, names: Set[str]) -> "ResourceSet":
        """The subset of those names; the set itself if that is all of it, so that its version is not hashed again."""
        if names >= self.names:
            return self
        return ResourceSet({name: item for name, item in self.resources.items() if name in names})

    def without(self, names: Set[str]) -> "ResourceSet":
        """All but those names; the set itself if it has none of them."""
        if names.isdisjoint(self.resources):
            return self
        return ResourceSet({name: item for name, item in self.resources.items() if name not in names})

    def over(self, other: "ResourceSet") -> "ResourceSet":
        """This set, plus what `other` has under further names."""
        if other.names <= self.names:
            return self
        return ResourceSet({**other.resources, **self.resources})


NOTHING = ResourceSet()


@dataclass(frozen=True, slots=True)
class Difference:
    """What leads from one set to another: resources that are new or changed, and names that are gone. Sorted."""

    changed: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()


@lru_cache(maxsize=_MEMO_MAX)
def difference(held: ResourceSet, wanted: ResourceSet) -> Difference:
    """From what a client holds to what it should hold; the same object for every stream that stands at `held`."""
    if held is wanted:
        return Difference()
    before = held.resources
    changed = tuple(item for item in wanted if item.name not in before or before[item.name].version != item.version)
    return Difference(changed, tuple(name for name in before if name not in wanted.resources))


@lru_cache(maxsize=_MEMO_MAX)
def patched(held: ResourceSet, changed: tuple[Resource, ...], removed: tuple[str, ...]) -> ResourceSet:
    """`held` after an update; one set for every stream that comes this way."""
    left = {name: item for name, item in held.resources.items() if name not in removed}
    return ResourceSet({**left, **{item.name: item for item in changed}})
