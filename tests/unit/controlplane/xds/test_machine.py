"""A machine behaves as its mode's core does by itself, though streams share their states and steps."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.errors import StreamError
from controlplane.xds.events import (
    DeltaRequest,
    DeltaSend,
    Effect,
    Ignored,
    Linger,
    Lingered,
    Node,
    Opened,
    Overdue,
    Published,
    Rejected,
    Request,
    Send,
)
from controlplane.xds.machine import Machine
from controlplane.xds.memo import Memo
from controlplane.xds.stream_state import StreamState
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.exploring import World, events, starts, step
from tests.unit.controlplane.xds.factory import NODE, snapshot
from tests.unit.controlplane.xds.test_delta_exhaustive import _RDS, _VHDS
from tests.unit.controlplane.xds.test_stream_exhaustive import _ENDPOINTS, _LISTENERS

WALKS = 400
STEPS = 16
ASKED = ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",)))


_NODE = pb.Node(id=NODE.node_id, cluster=NODE.cluster)


def test_a_machine_reads_and_answers_the_state_of_the_world() -> None:
    machine = Machine(Mode.SOTW, Memo())
    request = machine.parse(pb.DiscoveryRequest(type_url=CLUSTER, node=_NODE).SerializeToString())
    assert request == Request(CLUSTER, node=NODE)
    assert machine.advance(Published(snapshot())) == ()
    opened, send = machine.advance(request)
    assert opened == Opened(NODE)
    assert isinstance(send, Send)
    assert isinstance(machine.state, StreamState)


def test_a_machine_reads_and_answers_increments() -> None:
    machine = Machine(Mode.DELTA, Memo())
    request = machine.parse(pb.DeltaDiscoveryRequest(type_url=CLUSTER, node=_NODE).SerializeToString())
    assert request == DeltaRequest(CLUSTER, node=NODE)
    assert machine.advance(Published(snapshot())) == ()
    opened, send = machine.advance(request)
    assert opened == Opened(NODE)
    assert isinstance(send, DeltaSend)
    assert isinstance(machine.state, DeltaState)


@pytest.mark.parametrize("mode", list(Mode))
def test_after_an_error_its_state_is_as_it_was(mode: Mode) -> None:
    machine = Machine(mode, Memo())
    before = machine.state
    with pytest.raises(StreamError):
        machine.parse(b"\xff")
    with pytest.raises(StreamError):
        machine.advance(Request("") if mode is Mode.SOTW else DeltaRequest(""))
    assert machine.state is before


class Compared:
    """A machine that is told what a core is told; generations are numbers of their own on either side."""

    def __init__(self, mode: Mode, memo: Memo) -> None:
        self.machine = Machine(mode, memo)
        self._generations: dict[int, int] = {}

    def advance(self, event: object, expected: tuple[Effect, ...]) -> None:
        if isinstance(event, Lingered):
            event = Lingered(self._generations.pop(event.generation))
        found = self.machine.advance(event)  # type: ignore[arg-type]
        assert [_without_generation(effect) for effect in found] == [_without_generation(each) for each in expected]
        for mine, theirs in zip(found, expected, strict=True):
            if isinstance(mine, Linger) and isinstance(theirs, Linger):
                self._generations[theirs.generation] = mine.generation


def _without_generation(effect: Effect) -> Effect:
    return replace(effect, generation=0) if isinstance(effect, Linger) else effect


@pytest.mark.parametrize(
    ("mode", "world"),
    [(Mode.DELTA, _VHDS), (Mode.DELTA, _RDS), (Mode.SOTW, _ENDPOINTS), (Mode.SOTW, _LISTENERS)],
)
def test_a_machine_does_what_its_core_does_whatever_other_streams_have_done_before(mode: Mode, world: World) -> None:
    memo, dice = Memo(), random.Random(f"walks of {mode}")
    for _ in range(WALKS):
        state, envoy = world.side.fresh, dice.choice(list(starts(world)))
        compared = Compared(mode, memo)
        for _ in range(STEPS):
            event, then = dice.choice(list(events(world, state, envoy)))
            taken = step(world, state, event, then)
            compared.advance(event, taken.effects)
            state, envoy = taken.after, taken.envoy


@pytest.mark.parametrize("mode", list(Mode))
def test_streams_that_come_to_the_same_place_by_other_ways_stand_on_one_state(mode: Mode) -> None:
    memo, published = Memo(), [snapshot("a", "a"), snapshot("a", "a", "2"), snapshot({"a": "2"}, "a", "3")]
    old, young = Machine(mode, memo), Machine(mode, memo)
    _settle(old, [*_asks(mode, "envoy-1"), *map(Published, published)])
    _settle(young, [*_asks(mode, "envoy-2"), Published(published[-1])])
    assert old.state is young.state
    following = snapshot({"a": "2"}, "a", "4")
    (mine,), (theirs,) = (_sends(machine.advance(Published(following))) for machine in (old, young))
    assert old.state is young.state
    assert (mine.nonce, theirs.nonce) == ("7", "4")
    assert replace(mine, nonce="") == replace(theirs, nonce="")
    _settle(old, [_ack(mode, mine)])
    assert old.state is not young.state
    _settle(young, [_ack(mode, theirs)])
    assert old.state is young.state


@pytest.mark.parametrize("mode", list(Mode))
def test_who_a_stream_is_of_is_told_of_each(mode: Mode) -> None:
    memo = Memo()
    opened = [Machine(mode, memo).advance(next(_asks(mode, name))) for name in ("envoy-1", "envoy-2")]
    assert opened == [(Opened(Node("envoy-1")),), (Opened(Node("envoy-2")),)]


@pytest.mark.parametrize("mode", list(Mode))
def test_an_answer_that_is_not_to_the_newest_response_is_none(mode: Mode) -> None:
    machine = Machine(mode, Memo())
    _settle(machine, [*_asks(mode, "envoy-1"), Published(snapshot("a", "a"))])
    machine.advance(Published(snapshot("a", "a", "2")))
    before = machine.state
    for nonce in ("1", "2", "0", "stale", "nonsense"):
        stale = Request(LISTENER, nonce=nonce) if mode is Mode.SOTW else DeltaRequest(LISTENER, nonce=nonce)
        assert machine.advance(stale) == (Ignored(LISTENER, "stale nonce"),)
        assert machine.state.types[LISTENER].pending is not None
    assert machine.advance(Overdue("1")) == ()
    assert machine.state.types == before.types


@pytest.mark.parametrize("mode", list(Mode))
def test_two_streams_in_one_place_that_say_something_else_go_separate_ways(mode: Mode) -> None:
    memo, routes = Memo(), {"services": "a", "more": "a"}
    one, other = (Machine(mode, memo) for _ in range(2))
    asks, published = list(_asks(mode, "envoy"))[:2], Published(snapshot("a", routes))
    for machine in (one, other):
        _settle(machine, [*asks, published])
    assert one.state is other.state
    for machine, name in ((one, "services"), (other, "more")):
        ask = Request(ROUTE, (name,)) if mode is Mode.SOTW else DeltaRequest(ROUTE, subscribe=(name,))
        (send,) = _sends(machine.advance(ask))
        items = send.resources if isinstance(send, Send) else send.changed
        assert [item.name for item in items] == [name]


def test_a_stream_that_drops_a_name_leaves_the_others_with_theirs() -> None:
    memo = Memo()
    one, other = (Machine(Mode.DELTA, memo) for _ in range(2))
    for machine in (one, other):
        _settle(machine, [*_asks(Mode.DELTA, "envoy"), Published(snapshot("a", "a"))])
    one.advance(DeltaRequest(ROUTE))
    other.advance(DeltaRequest(ROUTE, unsubscribe=("services",)))
    assert (one.state.types[ROUTE].subscription.is_empty, other.state.types[ROUTE].subscription.is_empty) == (
        False,
        True,
    )


@pytest.mark.parametrize("mode", list(Mode))
def test_what_is_overdue_on_one_stream_is_not_on_another_in_the_same_place(mode: Mode) -> None:
    memo = Memo()
    machines = [Machine(mode, memo) for _ in range(2)]
    first, second = snapshot("a", "a"), snapshot({"a": "2"}, "a")
    for machine in machines:
        _settle(machine, [*_asks(mode, "envoy"), Published(first)])
    on_time, late = machines
    for machine in machines:
        (send,) = _sends(machine.advance(Published(second)))
    assert on_time.state is late.state
    assert on_time.advance(Overdue("1")) == ()
    assert [type(effect) for effect in late.advance(Overdue(send.nonce))[:1]] == [Rejected]
    assert on_time.state is not late.state


@pytest.mark.parametrize("mode", list(Mode))
def test_what_lingers_is_told_apart_by_its_generation(mode: Mode) -> None:
    memo, both = Memo(), {"services": "a b", "more": "b"}
    machines = [Machine(mode, memo) for _ in range(2)]
    moves = [snapshot("a b c", both), snapshot("b c", {"services": "b"}), snapshot("c", {"services": "c"})]
    for published in moves:
        for machine in machines:
            _settle(machine, [*(_asks(mode, "envoy") if machine.state.node is None else ()), Published(published)])
    one, other = machines
    assert one.state is other.state
    first, second = sorted(one.state.lingering)
    one.advance(Lingered(first))
    other.advance(Lingered(second))
    assert (set(one.state.lingering), set(other.state.lingering)) == ({second}, {first})


@pytest.mark.parametrize("mode", list(Mode))
def test_a_request_that_ends_the_stream_leaves_the_state_and_is_not_remembered(mode: Mode) -> None:
    memo = Memo()
    machine = Machine(mode, memo)
    machine.advance(next(_asks(mode, "envoy-1")))
    before = machine.state
    for _ in range(2):
        with pytest.raises(StreamError):
            machine.advance(Request("nonsense") if mode is Mode.SOTW else DeltaRequest("nonsense"))
        assert machine.state is before


def _asks(mode: Mode, node_id: str) -> Iterator[Request | DeltaRequest]:
    node: Node | None = Node(node_id)
    for type_url, names in ASKED:
        if mode is Mode.SOTW:
            yield Request(type_url, names, node=node)
        else:
            yield DeltaRequest(type_url, subscribe=names, node=node)
        node = None


def _settle(machine: Machine, told: list[Request | DeltaRequest | Published]) -> None:
    """Tells it all of this; everything that is sent is accepted at once."""
    for event in told:
        waiting = _sends(machine.advance(event))
        while waiting:
            waiting += _sends(machine.advance(_ack(machine.mode, waiting.pop(0))))


def _sends(effects: tuple[Effect, ...]) -> list[Send | DeltaSend]:
    return [effect for effect in effects if isinstance(effect, Send | DeltaSend)]


def _ack(mode: Mode, send: Send | DeltaSend) -> Request | DeltaRequest:
    if mode is Mode.DELTA:
        return DeltaRequest(send.type_url, nonce=send.nonce)
    return Request(send.type_url, dict(ASKED)[send.type_url], version=send.version, nonce=send.nonce)


def test_published_snapshots_are_told_apart_by_what_they_are_not_by_what_they_hold() -> None:
    """Equal content is equal for every stream of a group: they are given the same object."""
    one, same = snapshot("a", "a"), snapshot("a", "a")
    assert one.version == same.version
    memo = Memo()
    machines = [Machine(Mode.DELTA, memo) for _ in range(2)]
    for machine, published in zip(machines, (one, same), strict=True):
        _settle(machine, [*_asks(Mode.DELTA, "envoy"), Published(published)])
    assert isinstance(one, Snapshot)
    assert machines[0].state is not machines[1].state
    assert machines[0].state.types == machines[1].state.types
