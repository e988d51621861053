"""Small snapshots without Envoy's types, and clients that speak to the pure streams, one of each mode."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    VIRTUAL_HOST,
    Resource,
    ResourceSet,
    resource,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds import delta, stream
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.events import (
    Accepted,
    DeltaEvent,
    DeltaRequest,
    DeltaSend,
    Effect,
    Event,
    Linger,
    Lingered,
    Node,
    Overdue,
    Published,
    Rejected,
    Request,
    Send,
)
from controlplane.xds.stream_state import StreamState

NODE = Node("envoy-1", "edge")
Contents = Mapping[str, str] | str


def snapshot(
    clusters: Contents = "a",
    routes: Contents = "a",
    listener: str = "1",
    *,
    endpoints: Contents = "",
    hosts: Mapping[str, str] | None = None,
) -> Snapshot:
    """Clusters and endpoints by name -> content ("a" stands for {"a": "1"}), routes by name -> the clusters they name.

    With `hosts`, incremental streams get these virtual hosts (name -> clusters) and a route configuration without any.
    """
    by_route = routes if isinstance(routes, Mapping) else {"services": routes}
    types = {
        CLUSTER: _of(CLUSTER, clusters),
        LISTENER: ResourceSet.of((resource("gateway", LISTENER, listener.encode()),)),
        ROUTE: ResourceSet.of(_to(name, ROUTE, text) for name, text in by_route.items()),
    }
    if endpoints:
        types[ENDPOINT] = _of(ENDPOINT, endpoints)
    if hosts is None:
        return Snapshot(types)
    virtual_hosts = ResourceSet.of(_to(f"services/{name}", VIRTUAL_HOST, text) for name, text in hosts.items())
    frame = ResourceSet.of((resource("services", ROUTE, b"vhds"),))
    return Snapshot(types, {ROUTE: frame, VIRTUAL_HOST: virtual_hosts})


def _of(type_url: str, contents: Contents) -> ResourceSet:
    by_name = contents if isinstance(contents, Mapping) else dict.fromkeys(contents.split(), "1")
    # Messages of two types never have the same bytes; here the text alone would.
    kind = "" if type_url == CLUSTER else "endpoints "
    return ResourceSet.of(resource(name, type_url, (kind + text).encode()) for name, text in by_name.items())


def _to(name: str, type_url: str, clusters: str) -> Resource:
    return resource(name, type_url, f"{name} to {clusters}".encode(), clusters.split())


@dataclass
class Client:
    """An Envoy at the other end of a stream, one call an event. Answers name what it has accepted."""

    state: StreamState = field(default_factory=StreamState)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def publish(self, published: Snapshot) -> list[Effect]:
        return self._advance(Published(published))

    def asks(
        self, type_url: str, *names: str, version: str = "", nonce: str = "", brought: ResourceSet | None = None
    ) -> list[Effect]:
        """`brought` is what it holds from before, on its first request."""
        self.names[type_url] = names
        node = NODE if self.state.node is None else None
        return self._advance(Request(type_url, names, version=version, nonce=nonce, node=node, brought=brought))

    def acks(self, send: Send) -> list[Effect]:
        self.versions[send.type_url] = send.resources.version
        return self._answer(send, None)

    def nacks(self, send: Send, message: str = "no") -> list[Effect]:
        return self._answer(send, message)

    def starts(self, published: Snapshot) -> list[Effect]:
        """A fresh Envoy: everything asked for, everything accepted."""
        effects = self.publish(published)
        for type_url, names in ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",))):
            effects += self.asks(type_url, *names)
            effects += self.settle(effects)
        return effects

    def settle(self, effects: list[Effect]) -> list[Effect]:
        """Accepts what was sent, and what is sent for that, to the end. Returns all that happened after `effects`."""
        waiting = sends(effects)
        answered: list[Effect] = []
        while waiting:
            more = self.acks(waiting.pop(0))
            answered += more
            waiting += sends(more)
        return answered

    def waits(self, effects: list[Effect]) -> list[Effect]:
        """The linger time of everything that began to linger goes by."""
        lingering = [effect.generation for effect in effects if isinstance(effect, Linger)]
        return [after for generation in lingering for after in self._advance(Lingered(generation))]

    def _answer(self, send: Send, error: str | None) -> list[Effect]:
        version = self.versions.get(send.type_url, "")
        names = self.names.get(send.type_url, ())
        return self._advance(Request(send.type_url, names, version=version, nonce=send.nonce, error=error))

    def overdue(self, send: Send) -> list[Effect]:
        """Half a minute goes by without an answer."""
        return self._advance(Overdue(send.nonce))

    def _advance(self, event: Event) -> list[Effect]:
        self.state, effects = stream.advance(self.state, event)
        return list(effects)


@dataclass
class DeltaClient:
    """An Envoy at the other end of an incremental stream, one call an event."""

    state: DeltaState = field(default_factory=DeltaState)

    def publish(self, published: Snapshot) -> list[Effect]:
        return self._advance(Published(published))

    def asks(
        self,
        type_url: str,
        *names: str,
        drop: tuple[str, ...] = (),
        nonce: str = "",
        brought: ResourceSet | None = None,
    ) -> list[Effect]:
        """Subscribes to names and drops others; `brought` is what it holds from before, on its first request."""
        node = NODE if self.state.node is None else None
        return self._advance(
            DeltaRequest(type_url, subscribe=names, unsubscribe=drop, nonce=nonce, node=node, brought=brought)
        )

    def acks(self, send: DeltaSend) -> list[Effect]:
        return self._advance(DeltaRequest(send.type_url, nonce=send.nonce))

    def nacks(self, send: DeltaSend, message: str = "no") -> list[Effect]:
        return self._advance(DeltaRequest(send.type_url, nonce=send.nonce, error=message))

    def starts(self, published: Snapshot) -> list[Effect]:
        """A fresh Envoy: everything asked for, everything accepted."""
        effects = self.publish(published)
        asked: list[tuple[str, tuple[str, ...]]] = [(CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",))]
        if ENDPOINT in published.types:
            asked.insert(1, (ENDPOINT, tuple(published.types[ENDPOINT].resources)))
        if VIRTUAL_HOST in published.overlay:
            asked.append((VIRTUAL_HOST, ()))
        for type_url, names in asked:
            effects += self.asks(type_url, *names)
            effects += self.settle(effects)
        return effects

    def settle(self, effects: list[Effect]) -> list[Effect]:
        """Accepts what was sent, and what is sent for that, to the end. Returns all that happened after `effects`."""
        waiting = delta_sends(effects)
        answered: list[Effect] = []
        while waiting:
            more = self.acks(waiting.pop(0))
            answered += more
            waiting += delta_sends(more)
        return answered

    def waits(self, effects: list[Effect]) -> list[Effect]:
        """The linger time of everything that began to linger goes by."""
        lingering = [effect.generation for effect in effects if isinstance(effect, Linger)]
        return [after for generation in lingering for after in self._advance(Lingered(generation))]

    def overdue(self, send: DeltaSend) -> list[Effect]:
        """Half a minute goes by without an answer."""
        return self._advance(Overdue(send.nonce))

    def holds(self, type_url: str) -> frozenset[str]:
        """The names that it has accepted, as far as the stream knows."""
        return self.state.types[type_url].accepted.names

    def _advance(self, event: DeltaEvent) -> list[Effect]:
        self.state, effects = delta.advance(self.state, event)
        return list(effects)


def sends(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def delta_sends(effects: list[Effect]) -> list[DeltaSend]:
    return [effect for effect in effects if isinstance(effect, DeltaSend)]


def told(effects: list[Effect]) -> list[tuple[str, frozenset[str], tuple[str, ...]]]:
    """Of each incremental response: type, names that it carries, names that it removes."""
    return [
        (send.type_url, frozenset(item.name for item in send.changed), tuple(sorted(send.removed)))
        for send in delta_sends(effects)
    ]


def sent_types(effects: list[Effect]) -> list[str]:
    return [effect.type_url for effect in effects if isinstance(effect, Send | DeltaSend)]


def answers(effects: list[Effect]) -> list[Accepted | Rejected]:
    return [effect for effect in effects if isinstance(effect, Accepted | Rejected)]
