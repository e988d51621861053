"""What may happen on an ADS stream, and what is to be done about it. Both kinds of stream speak these values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.snapshot.resource import Resource, ResourceSet
from controlplane.snapshot.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Node:
    """Who the proxy says it is. `cluster` is its group. `envoy_version` as major.minor.patch, empty if not told."""

    node_id: str
    cluster: str = ""
    envoy_version: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A DiscoveryRequest. `error` is the text of `error_detail`, None when it is not set.

    `brought`: on the first request of a type, what the client says it holds from before, as far as it is known here.
    """

    type_url: str
    names: tuple[str, ...] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None
    node: Node | None = None
    brought: ResourceSet | None = None


@dataclass(frozen=True, slots=True)
class DeltaRequest:
    """A DeltaDiscoveryRequest. `initial`: `initial_resource_versions`, by name; `brought`: the same as resources."""

    type_url: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial: Mapping[str, str] = field(default_factory=dict)
    nonce: str = ""
    error: str | None = None
    node: Node | None = None
    brought: ResourceSet | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A new snapshot is in force."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Lingered:
    """Clusters that a `Linger` spoke of have lingered long enough."""

    generation: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """The response of clusters with this nonce has had no answer for `CLUSTERS_OVERDUE_S`, if it still has none."""

    nonce: str


@dataclass(frozen=True, slots=True)
class Send:
    """A DiscoveryResponse to write. `version` is that of all that the client is to hold of the type."""

    type_url: str
    nonce: str
    resources: ResourceSet
    version: str


@dataclass(frozen=True, slots=True)
class DeltaSend:
    """A DeltaDiscoveryResponse to write. `version` goes into system_version_info, which is for people."""

    type_url: str
    nonce: str
    changed: tuple[Resource, ...]
    removed: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The node has named itself."""

    node: Node


@dataclass(frozen=True, slots=True)
class Accepted:
    """The node runs all that it wants of this type in the snapshot whose version of the type this is."""

    type_url: str
    version: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The node refused a response and goes on with what it had. `message` is its own words."""

    type_url: str
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class Linger:
    """Clusters have lost their last route: `Lingered` with this generation is to follow after the linger time."""

    generation: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """A request that changes nothing: `stale nonce` or `unknown type`."""

    type_url: str
    reason: str


Event = Request | Published | Lingered | Overdue
DeltaEvent = DeltaRequest | Published | Lingered | Overdue
Effect = Send | DeltaSend | Opened | Accepted | Rejected | Linger | Ignored
