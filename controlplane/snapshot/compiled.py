"""One service -> everything in a snapshot that is made of it alone. Pure.

Moving a weight compiles one service: its routes, and nothing else of it.
"""

from dataclasses import dataclass

from controlplane.snapshot.filters import policy_headers
from controlplane.snapshot.limits import limit_descriptors
from controlplane.snapshot.model import ClusterInput, ServiceRoute, cluster_inputs, clusters_named
from controlplane.snapshot.route import build_routes
from controlplane.snapshot.virtual_host import Claim, claim


@dataclass(frozen=True, slots=True, eq=False)
class CompiledService:
    """`routes` and `limits` are encoded; `forwarded`: the headers that its policy reads."""

    service: ServiceRoute
    routes: tuple[bytes, ...]
    named: frozenset[str]
    inputs: tuple[ClusterInput, ...]
    claim: Claim
    forwarded: frozenset[str]
    limits: tuple[bytes, ...]


def compiled(service: ServiceRoute, last: CompiledService | None) -> CompiledService:
    """The service, compiled; `last` if it is of an equal one. Raises UnknownVersionError, WeightError."""
    if last is not None and last.service == service:
        return last
    return CompiledService(
        service=service,
        routes=build_routes(service),
        named=clusters_named(service),
        inputs=cluster_inputs(service),
        claim=claim(service),
        forwarded=policy_headers(service.spec),
        limits=limit_descriptors(service),
    )
