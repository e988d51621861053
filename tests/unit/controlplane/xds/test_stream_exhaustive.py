"""Every event in every state that can be reached, up to a depth, of a stream of the state of the world: what must hold at
each step, and that it ends well, also with an Envoy that refuses everything. The rules stand in `exploring_rules.py`.
"""

import itertools
from collections.abc import Iterator

import pytest

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, LISTENER, ROUTE
from controlplane.xds import stream
from controlplane.xds.events import Ignored, Published, Rejected, Request
from controlplane.xds.stream_state import StreamState, TypeState
from tests.unit.controlplane.xds.exploring import Side, World, reachable, step
from tests.unit.controlplane.xds.exploring_rules import check, check_arrived, drained
from tests.unit.controlplane.xds.factory import NODE, snapshot
from tests.unit.controlplane.xds.model_envoy import Envoy

_EVERY_NTH = 5


def _first(type_url: str, names: tuple[str, ...], envoy: Envoy) -> Request:
    version = envoy.version.get(type_url, "")
    brought = None if envoy.is_forgotten and type_url == CLUSTER else envoy.brought(type_url)
    return Request(type_url, names, version=version, node=NODE, brought=brought)


def _later(world: World, envoy: Envoy, type_url: str, nonce: str, error: str | None) -> Request:
    names = dict(world.asks)[type_url]
    wanted = tuple(name for name in names if type_url != ROUTE or name not in envoy.dropped)
    return Request(type_url, wanted, nonce=nonce, error=error)


def _own(type_url: str, current: TypeState) -> object:
    return (type_url, current.subscription, current.claimed, current.sent, current.accepted, current.is_pending,
            current.again, current.reported, current.balks, bool(current.nonce), current.refused, current.is_overdue)  # fmt: skip


def _names(state: StreamState, envoy: Envoy) -> Iterator[tuple[Request, Envoy]]:
    """It drops its routes, and takes them up again, beside an answer or without one."""
    route = state.types.get(ROUTE)
    if route is not None and not any(letter.send.type_url == ROUTE for letter in envoy.inbox):
        yield Request(ROUTE, (), nonce=route.nonce), envoy.drops("services")
        yield Request(ROUTE, ("services",), nonce=route.nonce), envoy.asks("services")


_SIDE = Side(
    fresh=StreamState(),
    advance=stream.advance,
    view=lambda published: published,
    first=_first,
    later=_later,
    own=_own,
    is_whole=True,
    is_pending=lambda current: current.is_pending,
)
_SNAPSHOTS = (
    snapshot("a", "a", endpoints="a"),
    snapshot({"a": "2", "b": "1"}, "b", listener="2", endpoints="a b"),
    snapshot("b", "b", endpoints="b"),
)
_ENDPOINTS = World(
    _SIDE,
    snapshots=_SNAPSHOTS,
    asks=((CLUSTER, ()), (ENDPOINT, ("a", "b")), (ROUTE, ("services",))),
    depth=5,
)
_LISTENERS = World(
    _SIDE,
    snapshots=_SNAPSHOTS,
    asks=((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",))),
    depth=5,
    names=_names,
)
_WORLDS = pytest.mark.parametrize("world", [_ENDPOINTS, _LISTENERS], ids=["with endpoints", "names that change"])


@_WORLDS
def test_every_event_in_every_state_keeps_the_rules(world: World) -> None:
    transitions = 0
    for taken in reachable(world):
        check(world, taken)
        for send in taken.sent:
            before, after = taken.before.types.get(send.type_url), taken.after.types[send.type_url]
            if before is None or before.subscription != after.subscription or send.type_url == ENDPOINT:
                continue
            # One request answers several responses of clusters: which one it refuses is not sure.
            is_unsure = send.type_url == CLUSTER and any(isinstance(effect, Rejected) for effect in taken.effects)
            assert is_unsure or after.sent != before.sent, "what was sent is not sent again"
        transitions += 1
    assert transitions > 5_000


@_WORLDS
def test_from_every_state_a_willing_envoy_comes_to_the_target(world: World) -> None:
    """Liveness: no state is a dead end."""
    for taken in itertools.islice(reachable(world), 0, None, _EVERY_NTH):
        start = step(world, taken.after, Published(world.snapshots[1]), taken.envoy)
        state, envoy = drained(world, start.after, start.envoy, is_willing=True)
        check_arrived(world, state, envoy)


@_WORLDS
def test_an_envoy_that_refuses_everything_is_left_alone(world: World) -> None:
    """ "needless work": a server that sends again what was refused does so without end."""
    for taken in itertools.islice(reachable(world), 0, None, _EVERY_NTH):
        state, envoy = drained(world, taken.after, taken.envoy, is_willing=False)
        assert not envoy.inbox
        _, effects = stream.advance(state, Request(CLUSTER, nonce="stale"))
        assert effects == (Ignored(CLUSTER, "stale nonce"),)
