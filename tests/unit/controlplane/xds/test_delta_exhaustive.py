"""Every event in every state that can be reached, up to a depth, of an incremental stream: what must hold at each step, and
that it ends well, also with an Envoy that refuses everything. The rules stand in `exploring_rules.py`.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST
from controlplane.xds import delta
from controlplane.xds.delta_state import DeltaState, DeltaType
from controlplane.xds.events import DeltaRequest, Ignored, Published
from tests.unit.controlplane.xds.exploring import Side, World, reachable, step
from tests.unit.controlplane.xds.exploring_rules import check, check_arrived, drained
from tests.unit.controlplane.xds.factory import NODE, snapshot
from tests.unit.controlplane.xds.model_envoy import Envoy

_EVERY_NTH = 5


def _first(type_url: str, names: tuple[str, ...], envoy: Envoy) -> DeltaRequest:
    return DeltaRequest(type_url, subscribe=names, node=NODE, brought=envoy.brought(type_url))


def _later(_world: World, _envoy: Envoy, type_url: str, nonce: str, error: str | None) -> DeltaRequest:
    return DeltaRequest(type_url, nonce=nonce, error=error)


def _own(type_url: str, current: DeltaType) -> object:
    pending = current.pending and replace(current.pending, nonce="")
    return (type_url, current.subscription, current.accepted, pending, current.again, current.is_answered,
            current.has_brought, current.refused, current.heal, current.balks, current.reported)  # fmt: skip


def _names(state: DeltaState, envoy: Envoy) -> Iterator[tuple[DeltaRequest, Envoy]]:
    if ROUTE in state.types:
        yield DeltaRequest(ROUTE, subscribe=("services",)), envoy.asks("services")
        yield DeltaRequest(ROUTE, unsubscribe=("services",)), envoy.drops("services")
    if CLUSTER in state.types:
        yield DeltaRequest(CLUSTER, subscribe=("a",)), envoy
        yield DeltaRequest(CLUSTER, unsubscribe=("a",)), envoy


_SIDE = Side(
    fresh=DeltaState(),
    advance=delta.advance,
    view=lambda published: published.incremental,
    first=_first,
    later=_later,
    own=_own,
    is_whole=False,
    is_pending=lambda current: current.pending is not None,
)
_VHDS = World(
    _SIDE,
    snapshots=(
        snapshot("a", {}, endpoints="a", hosts={"x": "a"}),
        snapshot({"a": "2", "b": "1"}, {}, endpoints="a b", hosts={"x": "b", "y": "a"}),
        snapshot("b", {}, endpoints="b", hosts={"x": "b"}),
    ),
    asks=((CLUSTER, ()), (ENDPOINT, ("a", "b")), (VIRTUAL_HOST, ())),
    depth=5,
)
_RDS = World(
    _SIDE,
    snapshots=(snapshot("a", "a"), snapshot({"a": "2", "b": "1"}, "b"), snapshot("b", {"services": "b", "more": "b"})),
    asks=((CLUSTER, ()), (ROUTE, ("services", "more"))),
    depth=5,
    names=_names,
)
_WORLDS = pytest.mark.parametrize("world", [_VHDS, _RDS], ids=["virtual hosts", "routes by name"])


@_WORLDS
def test_every_event_in_every_state_keeps_the_rules(world: World) -> None:
    transitions = 0
    for taken in reachable(world):
        check(world, taken)
        assert all(send.changed or send.removed or send.type_url not in taken.before.types for send in taken.sent)
        transitions += 1
    assert transitions > 5_000


@_WORLDS
def test_from_every_state_a_willing_envoy_comes_to_the_target(world: World) -> None:
    """Liveness: no state is a dead end."""
    for taken in itertools.islice(reachable(world), 0, None, _EVERY_NTH):
        start = step(world, taken.after, Published(world.snapshots[1]), taken.envoy)
        state, envoy = drained(world, start.after, start.envoy, is_willing=True)
        check_arrived(world, state, envoy)
        for type_url, _ in world.asks:
            assert type_url == CLUSTER or envoy.of(type_url).keys() <= world.target(1).of_type(type_url).names


@_WORLDS
def test_an_envoy_that_refuses_everything_is_left_alone(world: World) -> None:
    """ "needless work": a server that sends again what was refused does so without end."""
    for taken in itertools.islice(reachable(world), 0, None, _EVERY_NTH):
        state, envoy = drained(world, taken.after, taken.envoy, is_willing=False)
        assert not envoy.inbox
        _, effects = delta.advance(state, DeltaRequest(CLUSTER, nonce="stale"))
        assert effects == (Ignored(CLUSTER, "stale nonce"),)
