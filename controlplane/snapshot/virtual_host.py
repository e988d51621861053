"""All services' routes -> the one RouteConfiguration, joined from bytes that were encoded before.

Services are grouped by host: Envoy takes the virtual host with the most specific domain and looks no further. Within
one, routes stand by prefix, longest first, whatever the order of the services.
"""

from collections.abc import Iterable, Mapping, Sequence

from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.encoding import length_delimited, response_header
from controlplane.snapshot.errors import DuplicateRouteError
from controlplane.snapshot.model import ROUTE_CONFIGURATION, ServiceRoute
from controlplane.snapshot.resource import ROUTE, Resource, resource
from serinus.contract import headers

# Field numbers of envoy.config.route.v3, by which encoded parts are joined.
_CONFIGURATION_VIRTUAL_HOSTS = 2
_HOST_ROUTES = 3

# Read by Envoy only: what the upstream gets is what the client sent. The access log has them as metadata.
_STRIPPED_UPSTREAM = (
    headers.KEY,
    headers.BUCKET,
    headers.COHORT,
    headers.PIN,
    headers.VERSION,
    headers.REQUEST_ID,
)


def build_route_configuration(
    services: Sequence[ServiceRoute], routes: Mapping[str, Sequence[bytes]], clusters: Iterable[str]
) -> Resource:
    """The RouteConfiguration `services`. `routes` by service name, encoded; `clusters`: all that they name.

    Raises DuplicateRouteError when two services claim one host and prefix.
    """
    frame = route_v3.RouteConfiguration(
        name=ROUTE_CONFIGURATION,
        ignore_port_in_host_matching=True,
        request_headers_to_remove=list(_STRIPPED_UPSTREAM),
        response_headers_to_add=[response_header(headers.REQUEST_ID, headers.REQUEST_ID_FORMAT)],
    )
    parts = [bytes(frame)]
    for members, domains in sorted(_domains_by_members(services).items()):
        host = route_v3.VirtualHost(name=domains[0], domains=domains)
        encoded = [length_delimited(_HOST_ROUTES, route) for name in members for route in routes[name]]
        parts.append(length_delimited(_CONFIGURATION_VIRTUAL_HOSTS, b"".join((bytes(host), *encoded))))
    return resource(ROUTE_CONFIGURATION, ROUTE, b"".join(parts), clusters)


def _domains_by_members(services: Sequence[ServiceRoute]) -> dict[tuple[str, ...], list[str]]:
    """Hosts with the same services share a virtual host, so that no route is sent twice."""
    by_host: dict[str, dict[str, str]] = {}
    for service in services:
        for host in sorted({host.lower() for host in service.spec.hosts}):
            prefixes = by_host.setdefault(host, {})
            other = prefixes.setdefault(service.spec.prefix, service.name)
            if other != service.name:
                raise DuplicateRouteError(host, service.spec.prefix, (other, service.name))
    by_members: dict[tuple[str, ...], list[str]] = {}
    for host, prefixes in sorted(by_host.items()):
        longest_first = sorted(prefixes, key=lambda prefix: (-len(prefix), prefix))
        by_members.setdefault(tuple(prefixes[prefix] for prefix in longest_first), []).append(host)
    return by_members
