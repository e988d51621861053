"""Every version's cluster, endpoints and secrets, each built when its own input changes and at no other time. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.snapshot.cluster import VersionResources, build_version
from controlplane.snapshot.errors import SnapshotError
from controlplane.snapshot.model import ClusterInput
from controlplane.snapshot.resource import NOTHING, Resource, ResourceSet
from controlplane.snapshot.secret import SecretInput, build_secret, files_of


@dataclass(frozen=True, slots=True)
class _Secret:
    """A secret and what it was made of: a file may change while its name stays."""

    item: SecretInput
    contents: Mapping[str, bytes | None] = field(repr=False)
    resource: Resource


@dataclass(frozen=True, slots=True)
class Upstreams:
    """What the inputs came to, with what is needed to go on from it."""

    inputs: Sequence[ClusterInput] = ()
    versions: Mapping[str, tuple[ClusterInput, VersionResources]] = field(default_factory=dict)
    known_secrets: Mapping[str, _Secret] = field(default_factory=dict)
    clusters: ResourceSet = NOTHING
    endpoints: ResourceSet = NOTHING
    secrets: ResourceSet = NOTHING


def renew(last: Upstreams, inputs: Sequence[ClusterInput], files: Mapping[str, bytes]) -> Upstreams:
    """The upstreams of these inputs; sets in which nothing changed are the ones of `last`.

    `files`: contents by name. Raises SecretFileError, or SnapshotError for two versions of one name.
    """
    if inputs == last.inputs:
        versions = last.versions
    else:
        versions = {item.name: _version(last, item) for item in inputs}
        if len(versions) != len(inputs):
            raise SnapshotError("two versions of a service have one name", next_step="rename one of them")
    built = [resources for _, resources in versions.values()]
    secrets = {item.name: _secret(last, item, files) for resources in built for item in resources.secrets}
    is_same = versions is last.versions
    return Upstreams(
        inputs=inputs,
        versions=versions,
        known_secrets=secrets,
        clusters=last.clusters if is_same else last.clusters.renewed({r.cluster.name: r.cluster for r in built}),
        endpoints=last.endpoints
        if is_same
        else last.endpoints.renewed({r.endpoints.name: r.endpoints for r in built if r.endpoints is not None}),
        secrets=last.secrets.renewed({name: known.resource for name, known in secrets.items()}),
    )


def _version(last: Upstreams, item: ClusterInput) -> tuple[ClusterInput, VersionResources]:
    known = last.versions.get(item.name)
    return known if known is not None and known[0] == item else (item, build_version(item))


def _secret(last: Upstreams, item: SecretInput, files: Mapping[str, bytes]) -> _Secret:
    contents = {name: files.get(name) for name in files_of(item)}
    known = last.known_secrets.get(item.name)
    if known is not None and known.item == item and known.contents == contents:
        return known
    return _Secret(item, contents, build_secret(item, files))
