"""A model Envoy at the other end of a stream: what it really holds, whatever the server believes. Pure.

It does what Envoy 1.40 was seen to do: the responses of a type are taken in order; one that is refused early changes
nothing; one whose cluster is refused late is applied but for that cluster, removals too, and that cluster is stuck in
the list of warming ones until a response gives it a config that is taken, or removes it; the answer to such a response
may stay away. A cluster that has changed waits for its endpoints, also if they have not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST, Resource, ResourceSet, opaque
from controlplane.xds.events import DeltaSend, Effect, Rejected, Send
from controlplane.xds.subscription import FULL_STATE_TYPES

Response = Send | DeltaSend
Held = Mapping[str, Mapping[str, Resource]]


@dataclass(frozen=True, slots=True)
class Letter:
    """A response without an answer. `refused`: it is applied, but for this cluster, and the answer will say so."""

    send: Response
    refused: Resource | None = None


@dataclass(frozen=True)
class Envoy:
    """`stuck`: names of clusters that were refused late and not settled since. `cold`: clusters of responses without an
    answer, behind which no endpoints have come.
    `said_no`: what it has refused in words that name it and that were heard; `saying`: what it refuses right now. `dropped`: routes that it asks for no
    longer. `is_forgotten`: it brings versions that nobody remembers; `version`: by type, where it tells one for the whole.
    """

    held: Held = field(default_factory=lambda: MappingProxyType({}))
    inbox: tuple[Letter, ...] = ()
    stuck: frozenset[str] = frozenset()
    cold: frozenset[str] = frozenset()
    said_no: frozenset[Resource] = frozenset()
    saying: Resource | None = None
    dropped: frozenset[str] = frozenset()
    is_forgotten: bool = False
    version: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, type_url: str) -> Mapping[str, Resource]:
        return self.held.get(type_url, {})

    def brought(self, type_url: str) -> ResourceSet | None:
        """What it tells of a type on its first request: known by content, or only by version."""
        held = self.of(type_url).values()
        if not held:
            return None
        items = (opaque(item.name, type_url, item.version) for item in held) if self.is_forgotten else held
        return ResourceSet.of(items)

    def missing_clusters(self) -> frozenset[str]:
        """Clusters that its routes name and that it does not have: each request for them is answered 503."""
        named = (item.clusters for url in (ROUTE, VIRTUAL_HOST) for item in self.of(url).values())
        return frozenset[str]().union(*named) - self.of(CLUSTER).keys()

    def waiting(self) -> list[Letter]:
        """Of each type the response that comes first."""
        first: dict[str, Letter] = {}
        for letter in self.inbox:
            first.setdefault(letter.send.type_url, letter)
        return list(first.values())

    def receives(self, effects: tuple[Effect, ...]) -> "Envoy":
        """What was done about its answer, and what was sent to it."""
        is_heard = self.saying is not None and any(isinstance(effect, Rejected) for effect in effects)
        said_no = self.said_no | {self.saying} if self.saying is not None and is_heard else self.said_no
        sent = [effect for effect in effects if isinstance(effect, Send | DeltaSend)]
        cold = self.cold
        for send in sent:
            changed, removed = self.news(send)
            held = self.of(send.type_url)
            names = frozenset(item.name for item in changed if send.type_url != CLUSTER or held.get(item.name) != item)
            cold = cold | names if send.type_url == CLUSTER else cold
            cold = cold - names - removed if send.type_url == ENDPOINT else cold
        letters = tuple(Letter(send) for send in sent)
        return replace(self, inbox=self.inbox + letters, said_no=said_no, saying=None, cold=cold)

    def news(self, send: Response) -> tuple[list[Resource], frozenset[str]]:
        """What a response tells it: resources to take in, and names to give up."""
        if isinstance(send, DeltaSend):
            return list(send.changed), frozenset(send.removed)
        held = self.of(send.type_url)
        if send.type_url not in FULL_STATE_TYPES:
            return list(send.resources), frozenset()
        gone = (held.keys() | self.stuck if send.type_url == CLUSTER else held.keys()) - send.resources.names
        changed = [item for item in send.resources if held.get(item.name) != item or item.name in self.stuck]
        return changed, frozenset(gone)

    def applies(self, send: Response, refused: Resource | None = None) -> "Envoy":
        """What a response does, but for one of its clusters."""
        changed, removed = self.news(send)
        dropped = self.dropped if send.type_url == ROUTE else frozenset()
        taken = [item for item in changed if item is not refused and item.name not in dropped]
        held = {name: item for name, item in self.of(send.type_url).items() if name not in removed}
        held |= {item.name: item for item in taken}
        after = replace(self, held=MappingProxyType({**self.held, send.type_url: MappingProxyType(held)}))
        if send.type_url != CLUSTER:
            return after
        stuck = self.stuck - {item.name for item in taken} - removed
        if refused is None:
            return replace(after, stuck=stuck, cold=frozenset())
        return replace(after, stuck=stuck | {refused.name}, saying=refused, cold=self.cold - {refused.name})

    def declines(self, send: Response) -> "Envoy":
        """A response that changes nothing."""
        changed, _ = self.news(send)
        return replace(self, cold=self.cold - {item.name for item in changed}) if send.type_url == CLUSTER else self

    def without(self, letter: Letter) -> "Envoy":
        return replace(self, inbox=tuple(item for item in self.inbox if item is not letter))

    def drops(self, name: str) -> "Envoy":
        """It asks for a route no longer, and forgets what it had of that name."""
        routes = {key: item for key, item in self.of(ROUTE).items() if key != name}
        held = MappingProxyType({**self.held, ROUTE: MappingProxyType(routes)})
        return replace(self, held=held, dropped=self.dropped | {name})

    def asks(self, name: str) -> "Envoy":
        """It asks for a route, anew or again."""
        return replace(self, dropped=self.dropped - {name})

    def forgives(self, clusters: ResourceSet) -> "Envoy":
        """A refusal counts as long as the same content is wanted without a break."""
        wanted = clusters.resources
        return replace(self, said_no=frozenset(item for item in self.said_no if wanted.get(item.name) == item))
