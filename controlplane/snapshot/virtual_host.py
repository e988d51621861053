"""All services' routes -> virtual hosts, one a host, and the route configurations that they make.

A virtual host a host, though services with several hosts are then sent once for each: no host ever moves from one
resource to another, so the resources of one update can arrive in any order, and nobody's name changes because somebody
else came. Envoy refuses a whole update in which two virtual hosts claim one host.

Envoy takes the virtual host with the most specific domain and looks no further. Within one, routes stand by prefix,
longest first, whatever the order of the services.

Two forms of the same bytes: streams that send the state of the world get them inside the RouteConfiguration, since
Envoy takes VHDS over incremental streams only; those get each by itself, so that a weight step sends what it changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial

from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.encoding import from_ads, length_delimited, response_header
from controlplane.snapshot.errors import DuplicateRouteError
from controlplane.snapshot.model import ROUTE_CONFIGURATION, ServiceRoute
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST, Resource, ResourceSet, joined, resource
from controlplane.snapshot.wire import encoded
from serinus.contract import headers
from serinus.envoywire.route_pb2 import VirtualHost

# Field numbers of envoy.config.route.v3, by which encoded parts are joined.
_CONFIGURATION_VIRTUAL_HOSTS = 2
_HOST_ROUTES = 3

# Read by Envoy and the sidecar only: what the upstream gets is what the client sent, without a tester's token. The
# access log has them as metadata.
_STRIPPED_UPSTREAM = (
    headers.KEY,
    headers.BUCKET,
    headers.COHORT,
    headers.PIN,
    headers.VERSION,
    headers.REQUEST_ID,
    headers.TOKEN,
)
# A host that nobody can ask for (RFC 6761).
_NO_HOST = "serinus.invalid"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one service answers: these hosts, in small letters (Envoy compares them without case), under this prefix."""

    service: str
    hosts: tuple[str, ...]
    prefix: str


def claim(service: ServiceRoute) -> Claim:
    """What the service answers."""
    return Claim(service.name, tuple(sorted({host.lower() for host in service.spec.hosts})), service.spec.prefix)


def services_by_host(claims: Iterable[Claim]) -> Mapping[str, tuple[str, ...]]:
    """Who answers on each host, in the order in which Envoy must try them.

    Raises DuplicateRouteError when two services claim one host and prefix.
    """
    by_host: dict[str, dict[str, str]] = {}
    for item in claims:
        for host in item.hosts:
            prefixes = by_host.setdefault(host, {})
            other = prefixes.setdefault(item.prefix, item.service)
            if other != item.service:
                raise DuplicateRouteError(host, item.prefix, (other, item.service))
    return {host: _longest_first(prefixes) for host, prefixes in by_host.items()}


def _longest_first(prefixes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(prefixes[prefix] for prefix in sorted(prefixes, key=lambda prefix: (-len(prefix), prefix)))


def virtual_host_name(host: str) -> str:
    """VHDS: the route configuration's name comes first. Envoy files a virtual host under the name inside the message,
    so both are this.
    """
    return f"{ROUTE_CONFIGURATION}/{host}"


def build_virtual_host(host: str, routes: Iterable[bytes], clusters: Iterable[str]) -> Resource:
    """The virtual host of one host. `routes`: encoded, in order; `clusters`: all that they name."""
    name = virtual_host_name(host)
    frame = encoded(VirtualHost(name=name, domains=[host]))
    body = b"".join((frame, *(length_delimited(_HOST_ROUTES, route) for route in routes)))
    return resource(name, VIRTUAL_HOST, body, clusters)


def inline_configuration(virtual_hosts: ResourceSet) -> Resource:
    """The RouteConfiguration with all virtual hosts in it."""
    frame = _encoded_frame()
    made_of = (frame, virtual_hosts.version.encode())
    return joined(ROUTE_CONFIGURATION, ROUTE, partial(_join, frame, virtual_hosts), made_of, virtual_hosts.clusters)


def _join(frame: bytes, virtual_hosts: ResourceSet) -> bytes:
    return b"".join((frame, *(length_delimited(_CONFIGURATION_VIRTUAL_HOSTS, item.body) for item in virtual_hosts)))


@cache
def discovering_configuration() -> Resource:
    """The RouteConfiguration whose virtual hosts are resources of their own."""
    message = _frame()
    message.vhds = route_v3.Vhds(config_source=from_ads())
    return resource(ROUTE_CONFIGURATION, ROUTE, bytes(message))


def discovered(virtual_hosts: ResourceSet) -> ResourceSet:
    """What a proxy discovers. There is always something: a listener opens with the first virtual host that comes, and
    after 15 s if none does.
    """
    return virtual_hosts if len(virtual_hosts) else ResourceSet.of((build_virtual_host(_NO_HOST, (), ()),))


@cache
def _encoded_frame() -> bytes:
    return bytes(_frame())


def _frame() -> route_v3.RouteConfiguration:
    return route_v3.RouteConfiguration(
        name=ROUTE_CONFIGURATION,
        ignore_port_in_host_matching=True,
        request_headers_to_remove=list(_STRIPPED_UPSTREAM),
        response_headers_to_add=[response_header(headers.REQUEST_ID, headers.REQUEST_ID_FORMAT)],
        # Routes of a service with feedback put an id of their own there.
        most_specific_header_mutations_wins=True,
    )
