"""Small snapshots without Envoy's types, and a client that speaks to the pure stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, Resource, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import Accepted, Effect, Linger, Lingered, Node, Published, Rejected, Request, Send
from controlplane.xds.stream import StreamState, advance

NODE = Node("envoy-1", "edge")


def snapshot(
    clusters: Mapping[str, str] | str = "a",
    routes: Mapping[str, str] | str = "a",
    listener: str = "1",
) -> Snapshot:
    """Clusters by name -> content ("a" stands for {"a": "1"}), routes by name -> the cluster they name."""
    by_name = clusters if isinstance(clusters, Mapping) else dict.fromkeys(clusters.split(), "1")
    by_route = routes if isinstance(routes, Mapping) else {"services": routes}
    return Snapshot(
        {
            CLUSTER: ResourceSet.of(resource(name, CLUSTER, text.encode()) for name, text in by_name.items()),
            LISTENER: ResourceSet.of((resource("gateway", LISTENER, listener.encode()),)),
            ROUTE: ResourceSet.of(_route(name, text) for name, text in by_route.items()),
        }
    )


def _route(name: str, clusters: str) -> Resource:
    return resource(name, ROUTE, f"{name} to {clusters}".encode(), clusters.split())


@dataclass
class Client:
    """An Envoy at the other end of a stream, one call an event. Answers name what it has accepted."""

    state: StreamState = field(default_factory=StreamState)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def publish(self, published: Snapshot) -> list[Effect]:
        return self._advance(Published(published))

    def asks(self, type_url: str, *names: str, version: str = "", nonce: str = "") -> list[Effect]:
        self.names[type_url] = names
        node = NODE if self.state.node is None else None
        return self._advance(Request(type_url, names, version=version, nonce=nonce, node=node))

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

    def _advance(self, event: Request | Published | Lingered) -> list[Effect]:
        self.state, effects = advance(self.state, event)
        return list(effects)


def sends(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def sent_types(effects: list[Effect]) -> list[str]:
    return [send.type_url for send in sends(effects)]


def answers(effects: list[Effect]) -> list[Accepted | Rejected]:
    return [effect for effect in effects if isinstance(effect, Accepted | Rejected)]
