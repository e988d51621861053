"""A proxy over real gRPC, without Envoy: it asks as Envoy does (state of the world), keeps what it has over a reconnect,
warms clusters as slowly as the test says, and refuses what the test says.
"""

from dataclasses import dataclass, field

import grpc
from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET
from serinus.envoywire import discovery_pb2
from serinus.envoywire.cluster_pb2 import Cluster

ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
# What Envoy asks for: everything of the first two, and what a listener names of the others.
ASKED = {CLUSTER: [], LISTENER: [], EXTENSION: ["serinus.tag"], ROUTE: ["services"]}
# A reconnecting Envoy asks for clusters last.
ASKED_AGAIN = (ENDPOINT, SECRET, LISTENER, EXTENSION, ROUTE, CLUSTER)


@dataclass
class FakeProxy:
    """`routes`: the raw route configurations it was sent, oldest first. `faults`: what the control plane did wrong.

    `cold`: clusters that do not get warm: like Envoy it answers no update of clusters that holds one, and keeps what
    it had. `refuses`: by cluster, the words with which it rejects an update that holds it.
    """

    xds: str
    node: str = "edge-1"
    cluster: str = "default"
    secrets: list[str] = field(default_factory=list)
    cold: set[str] = field(default_factory=set)
    refuses: dict[str, str] = field(default_factory=dict)
    routes: list[bytes] = field(default_factory=list)
    clusters: set[str] = field(default_factory=set)
    contents: dict[str, list[bytes]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _versions: dict[str, str] = field(default_factory=dict)
    _names: dict[str, list[str]] = field(default_factory=dict)
    _warming: discovery_pb2.DiscoveryResponse | None = None
    _call: grpc.aio.StreamStreamCall | None = None

    async def run(self) -> None:
        async with grpc.aio.insecure_channel(self.xds) as channel:
            self._call = channel.stream_stream(
                ADS,
                request_serializer=discovery_pb2.DiscoveryRequest.SerializeToString,
                response_deserializer=discovery_pb2.DiscoveryResponse.FromString,
            )()
            self._warming = None
            self._names |= {**ASKED, **({SECRET: self.secrets} if self.secrets else {}), **self._names}
            order = ASKED_AGAIN if self._versions else tuple(self._names)
            for type_url in order:
                if type_url in self._names:
                    await self._ask(type_url)
            while (response := await self._call.read()) is not grpc.aio.EOF:
                await self._on(response)

    async def warmed(self, cluster: str) -> None:
        """A cold cluster is warm now: the update that it held up is answered."""
        self.cold.discard(cluster)
        if self._warming is not None and not self.cold & _cluster_names(self._warming):
            response, self._warming = self._warming, None
            await self._accept(response)

    def named(self) -> set[str]:
        """The clusters that its routes name."""
        return set(clusters_of(self.routes[-1])) if self.routes else set()

    def weight(self, cluster: str) -> int | None:
        """What its weighted routes give a cluster; None if none names it."""
        return clusters_of(self.routes[-1])[cluster]

    async def _ask(self, type_url: str, nonce: str = "", error: str = "") -> None:
        assert self._call is not None
        request = discovery_pb2.DiscoveryRequest(
            type_url=type_url,
            node=discovery_pb2.Node(id=self.node, cluster=self.cluster),
            resource_names=self._names[type_url],
            version_info=self._versions.get(type_url, ""),
            response_nonce=nonce,
        )
        if error:
            request.error_detail.code = 13
            request.error_detail.message = error
        await self._call.write(request)

    async def _on(self, response: discovery_pb2.DiscoveryResponse) -> None:
        if response.type_url == CLUSTER:
            names = _cluster_names(response)
            refused = sorted(names & self.refuses.keys())
            if refused:
                words = ", ".join(f"{name}: {self.refuses[name]}" for name in refused)
                await self._ask(CLUSTER, response.nonce, f"Error adding/updating cluster(s) {words}")
                return
            if self._names.get(ENDPOINT) != (named := _endpoints_named(response)) and named:
                self._names[ENDPOINT] = named
                await self._ask(ENDPOINT)
            if names & self.cold:
                self._warming = response
                return
        await self._accept(response)

    async def _accept(self, response: discovery_pb2.DiscoveryResponse) -> None:
        bodies = [item.value for item in response.resources]
        if response.type_url == CLUSTER:
            self.clusters = _cluster_names(response)
        if response.type_url == ROUTE:
            self.routes.append(bodies[0])
        if self.routes and (missing := self.named() - self.clusters):
            self.faults.append(f"a route names {sorted(missing)}, which {self.node} has not got")
        self.contents[response.type_url] = bodies
        self._versions[response.type_url] = response.version_info
        await self._ask(response.type_url, response.nonce)


def clusters_of(route_configuration: bytes) -> dict[str, int | None]:
    """Every cluster that a route names, with its weight where one gives it a weight."""
    found: dict[str, int | None] = {}
    for host in route_v3.RouteConfiguration.parse(route_configuration).virtual_hosts:
        for route in host.routes:
            assert route.route is not None
            if route.route.cluster:
                found.setdefault(route.route.cluster, None)
            for each in route.route.weighted_clusters.clusters if route.route.weighted_clusters else ():
                found[each.name] = each.weight or 0
    return found


def _cluster_names(response: discovery_pb2.DiscoveryResponse) -> set[str]:
    return {Cluster.FromString(item.value).name for item in response.resources}


def _endpoints_named(response: discovery_pb2.DiscoveryResponse) -> list[str]:
    clusters = (Cluster.FromString(item.value) for item in response.resources)
    return sorted(cluster.name for cluster in clusters if cluster.type == Cluster.EDS)
