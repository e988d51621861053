"""In which order types are sent, and what a proxy must hold before it may have a resource. Pure.

Rule (xDS protocol, "Eventual consistency considerations"): CDS, EDS, LDS, RDS, VHDS, and then what is stale in CDS
goes. Secrets follow the clusters that ask for them; filter configs (ECDS) stand before the listeners that name them.
The order alone is not enough: routes are not warmed, so one that arrives while its cluster still warms answers 503.
"""

from collections.abc import Iterable

from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    SECRET,
    TYPE_PREFIX,
    VIRTUAL_HOST,
    ResourceSet,
)

TYPE_ORDER = (CLUSTER, ENDPOINT, SECRET, EXTENSION, LISTENER, ROUTE, VIRTUAL_HOST)
# Resources that name clusters, so that a cluster may not go before they do.
NAMING_TYPES = (ROUTE, VIRTUAL_HOST)
# Types of xDS that Serinus has nothing of. To ask for them is no mistake: there is just nothing to send.
UNSERVED_TYPES = frozenset(
    TYPE_PREFIX + name
    for name in (
        "envoy.service.runtime.v3.Runtime",
        "envoy.config.route.v3.ScopedRouteConfiguration",
        "envoy.config.endpoint.v3.LbEndpoint",
        "envoy.config.ratelimit.v3.RateLimitConfig",
        "envoy.service.health.v3.HealthCheckSpecifier",
        "envoy.config.overload.v3.LoadShedPoint",
    )
)


def in_order(type_urls: Iterable[str]) -> list[str]:
    """The known ones of these types, in the order of sending."""
    present = set(type_urls)
    return [type_url for type_url in TYPE_ORDER if type_url in present]


def held_clusters(accepted: ResourceSet | None, pending: ResourceSet | None) -> frozenset[str]:
    """The clusters that a proxy has and goes on having: accepted (None: none that we know of), and also in the
    response that it has not answered yet, if there is one.

    An ACK of a cluster means that it is warm: Envoy withholds it until then.
    """
    if accepted is None:
        return frozenset()
    return accepted.names if pending is None else accepted.names & pending.names


def clusters_to_keep(target: ResourceSet, accepted: ResourceSet | None, named: Iterable[frozenset[str]]) -> ResourceSet:
    """The clusters to send: the target's, plus those that the proxy has and that are still `named`: by routes that it
    runs, may be about to run, or ran a moment ago.
    """
    if accepted is None or accepted == target:
        return target
    stale = (accepted.names - target.names).intersection(frozenset[str]().union(*named))
    return target.over(accepted.only(stale)) if stale else target


def naming_types(target: Iterable[tuple[str, ResourceSet]]) -> tuple[str, ...]:
    """The types by which this target's clusters are named."""
    return tuple(type_url for type_url, resources in target if type_url in NAMING_TYPES and resources.clusters)
