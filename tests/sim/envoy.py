"""A model Envoy at its end of an xDS stream: what it holds, what it asks for, and when it answers. Pure.

It takes the responses of a type in order and answers each: at once, or, of clusters, when they are warm. What it holds
stays when the stream breaks; on the next one it says what that is, as Envoy does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    VIRTUAL_HOST,
    Resource,
    ResourceSet,
)
from controlplane.xds.events import DeltaRequest, DeltaSend, Node, Request, Send
from controlplane.xds.subscription import FULL_STATE_TYPES
from tests.sim.streams import RUNS, Runs

Asked = Request | DeltaRequest
Response = Send | DeltaSend
# By mode, what is asked for when a stream opens, in this order; endpoints are asked for by name once clusters are held.
_ASKS = {
    Mode.SOTW: ((CLUSTER, ()), (LISTENER, ()), (EXTENSION, ("serinus.tag",)), (ROUTE, ("services",))),
    Mode.DELTA: (
        (CLUSTER, ()), (LISTENER, ()), (EXTENSION, ("serinus.tag",)), (ROUTE, ("services",)), (VIRTUAL_HOST, ()),
    ),
}  # fmt: skip


@dataclass(slots=True)
class Envoy:
    node: Node
    mode: Mode
    held: dict[str, dict[str, Resource]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)  # on this stream, as the next
    _asked: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def opens(self) -> list[Asked]:
        """The first requests of a new stream; one that comes back tells its clusters last."""
        self._asked, self.nonces = {}, {}
        asks = list(_ASKS[self.mode])
        if self.held:
            asks = [*asks[1:], asks[0]]
            if self.held.get(CLUSTER):
                asks.insert(0, (ENDPOINT, self._endpoints()))
        return [self._first(type_url, names) for type_url, names in asks]

    def _first(self, type_url: str, names: tuple[str, ...]) -> Asked:
        node = None if self._asked else self.node
        self._asked[type_url] = names
        held = self.held.get(type_url, {})
        brought = ResourceSet.of(held.values()) if held else None
        if self.mode is Mode.DELTA:
            initial = {name: item.version for name, item in held.items()}
            return DeltaRequest(type_url, subscribe=names, initial=initial, node=node, brought=brought)
        return Request(type_url, names, version=self.versions.get(type_url, ""), node=node, brought=brought)

    def _endpoints(self) -> tuple[str, ...]:
        return tuple(sorted(self.held.get(CLUSTER, {})))

    def takes(self, send: Response) -> Iterator[Asked]:
        """Applies a response, answers it, and asks for what it needs now."""
        held = dict(self.held.get(send.type_url, {}))
        if isinstance(send, DeltaSend):
            held |= {item.name: item for item in send.changed}
            for name in send.removed:
                held.pop(name, None)
        elif send.type_url in FULL_STATE_TYPES:
            held = {item.name: item for item in send.resources}
        else:
            held |= {item.name: item for item in send.resources}
        self.held[send.type_url] = held
        self.versions[send.type_url], self.nonces[send.type_url] = send.version, send.nonce
        yield self._answer(send.type_url, send.nonce)
        if send.type_url == CLUSTER and self._endpoints() != self._asked.get(ENDPOINT):
            yield self._asks_endpoints()

    def _answer(self, type_url: str, nonce: str) -> Asked:
        if self.mode is Mode.DELTA:
            return DeltaRequest(type_url, nonce=nonce)
        return Request(type_url, self._asked[type_url], version=self.versions[type_url], nonce=nonce)

    def _asks_endpoints(self) -> Asked:
        before, names = self._asked.get(ENDPOINT), self._endpoints()
        if before is None:
            return self._first(ENDPOINT, names)
        self._asked[ENDPOINT] = names
        if self.mode is Mode.DELTA:
            more, less = set(names) - set(before), set(before) - set(names)
            return DeltaRequest(ENDPOINT, subscribe=tuple(sorted(more)), unsubscribe=tuple(sorted(less)))
        # Names change on the nonce of the newest response, which the caller knows.
        return Request(ENDPOINT, names, version=self.versions.get(ENDPOINT, ""), nonce=self.nonces.get(ENDPOINT, ""))

    @property
    def runs(self) -> Runs | None:
        """What the routes that it holds do; None while it holds none."""
        kind = VIRTUAL_HOST if self.mode is Mode.DELTA else ROUTE
        found = [RUNS[item.version] for item in self.held.get(kind, {}).values() if item.version in RUNS]
        return found[0] if found else None

    @property
    def missing(self) -> frozenset[str]:
        """Clusters that its routes name and it does not hold: each request for them would be answered 503."""
        named = (item.clusters for kind in (ROUTE, VIRTUAL_HOST) for item in self.held.get(kind, {}).values())
        return frozenset[str]().union(*named) - self.held.get(CLUSTER, {}).keys()
