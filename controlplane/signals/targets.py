"""Which servers are read, from the manifests. Pure.

Bounded twice: of one version the first SOURCES_PER_VERSION_MAX (servers of one version differ little), of all
SOURCES_MAX; the services of `first` (those with a rollout) go before the others.
"""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from controlplane.manifest.endpoint import Endpoint
from controlplane.manifest.schema import ServiceSpec
from controlplane.manifest.version import Version
from controlplane.signals.book import Place

SOURCES_PER_VERSION_MAX = 16
SOURCES_MAX = 256


@dataclass(frozen=True, slots=True)
class Target:
    """`url`: of the exposition, "" for none. `port`: of a process on this machine that listens there; None: do not
    look."""

    place: Place
    url: str = ""
    port: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def targets_of(services: Mapping[str, ServiceSpec], first: Collection[str] = ()) -> tuple[Target, ...]:
    found: list[Target] = []
    for service in sorted(services, key=lambda name: (name not in first, name)):
        for version in services[service].versions:
            found += _of_version(service, version)[:SOURCES_PER_VERSION_MAX]
    return tuple(found[:SOURCES_MAX])


def _of_version(service: str, version: Version) -> list[Target]:
    metrics = version.metrics
    if metrics is None:
        return []
    # Exporters first: there are few, and they are one for a whole machine.
    labels = dict(metrics.labels)
    found = [Target(Place(service, version.name, url), url, None, labels) for url in metrics.urls]
    for endpoint in version.servers:
        url = f"http://{_at(endpoint, metrics.port)}{metrics.path}" if metrics.scrape else ""
        port = endpoint.port if metrics.process and is_loopback(endpoint) else None
        if url or port is not None:
            found.append(Target(Place(service, version.name, str(endpoint)), url, port, labels))
    return found


def is_loopback(endpoint: Endpoint) -> bool:
    """An address of this machine alone. A name may lead anywhere, so it is none."""
    return not endpoint.is_named and ipaddress.ip_address(endpoint.host).is_loopback


def _at(endpoint: Endpoint, port: int | None) -> Endpoint:
    return endpoint if port is None else Endpoint(host=endpoint.host, port=port)
