"""Versions for the tests of cluster building, and what was encoded, decoded by an independent library."""

from typing import Any

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http

from controlplane.manifest.version import Version
from controlplane.snapshot.cluster import VersionResources, build_version
from controlplane.snapshot.model import ClusterInput


def version(*endpoints: str, **keys: Any) -> Version:
    where = {} if "localities" in keys else {"endpoints": list(endpoints or ("127.0.0.1:8001",))}
    return Version.model_validate({"name": "v1", **where, **keys})


def built(*endpoints: str, streams: bool = False, concurrent_max: int | None = None, **keys: Any) -> VersionResources:
    return build_version(ClusterInput("chat", version(*endpoints, **keys), streams, concurrent_max))


def cluster_of(*endpoints: str, **keys: Any) -> cluster_v3.Cluster:
    return cluster_v3.Cluster.parse(built(*endpoints, **keys).cluster.body)


def http_options_of(**keys: Any) -> upstream_http.HttpProtocolOptions:
    ((name, config),) = cluster_of(**keys).typed_extension_protocol_options.items()
    assert config.type_url == f"type.googleapis.com/{name}"
    return upstream_http.HttpProtocolOptions.parse(config.value)
