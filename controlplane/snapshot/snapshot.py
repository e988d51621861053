"""The full set of xDS resources for one group of proxies: immutable, encoded once, shared by every stream.

Incremental streams may get some types in another cut than streams that send the state of the world: routes as one
virtual host a resource, so that a weight step carries only the virtual host that changed. `incremental` is that view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from controlplane.snapshot.resource import NOTHING, ResourceSet, content_hash


@dataclass(frozen=True)
class Snapshot:
    """Resources by type URL. `version` is a hash of the whole. `overlay`: the types that incremental streams get
    otherwise; a type that is empty there does not exist for them.
    """

    types: Mapping[str, ResourceSet]
    overlay: Mapping[str, ResourceSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", MappingProxyType(dict(self.types)))
        object.__setattr__(self, "overlay", MappingProxyType(dict(self.overlay)))

    @cached_property
    def version(self) -> str:
        return content_hash(
            f"{url}={resources.version}".encode()
            for part in (self.types, self.overlay)
            for url, resources in sorted(part.items())
        )

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """The version of each type that there is anything of: what a proxy that runs all of it has accepted."""
        return {url: resources.version for url, resources in self.types.items() if len(resources)}

    @cached_property
    def incremental(self) -> "Snapshot":
        """As incremental streams are to see it."""
        return Snapshot({**self.types, **self.overlay}) if self.overlay else self

    def of_type(self, type_url: str) -> ResourceSet:
        return self.types.get(type_url, NOTHING)
