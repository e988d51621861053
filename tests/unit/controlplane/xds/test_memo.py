"""What is remembered of steps: for all who stand in the same place, within bounds, and never for what only looks alike."""

import itertools

import pytest

from controlplane.snapshot.resource import CLUSTER, ROUTE, ResourceSet, opaque, resource
from controlplane.xds.delta_state import DeltaState, DeltaType, Pending
from controlplane.xds.events import Ignored, Node
from controlplane.xds.memo import ANSWERED, PLACES_MAX, SOMEONE, STEPS_MAX, Memo, State
from controlplane.xds.stream_state import StreamState, TypeState
from controlplane.xds.subscription import Subscription
from tests.unit.controlplane.xds.factory import snapshot

HELD = ResourceSet.of((resource("a", CLUSTER, b"1"),))
UNKNOWN = ResourceSet.of((opaque("a", CLUSTER, "1"),))
TARGET = snapshot("a", "a")
ASKED = Subscription(CLUSTER, is_wildcard=True)


def delta_state(**more: object) -> DeltaState:
    current = DeltaType(ASKED, HELD, is_answered=True)
    return DeltaState(Node("envoy-1"), TARGET, {CLUSTER: current}, **more)  # type: ignore[arg-type]


def test_a_step_is_worked_out_once() -> None:
    memo, count = Memo(), itertools.count(1)
    effects = (Ignored(CLUSTER, "stale nonce"),)

    def take() -> tuple[State, tuple[Ignored, ...]]:
        next(count)
        return delta_state(), effects

    assert memo.known("key") is None
    step = memo.taken("key", DeltaState(), None, take)
    assert memo.known("key") is step
    assert (step.effects, next(count)) == (effects, 2)


def test_a_step_that_fails_is_not_remembered() -> None:
    memo = Memo()

    def fail() -> tuple[State, tuple[()]]:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  there is nothing to match
        memo.taken("key", DeltaState(), None, fail)
    assert memo.known("key") is None


def test_the_oldest_steps_and_places_are_forgotten() -> None:
    memo = Memo()
    for number in range(STEPS_MAX + 1):
        memo.taken(number, DeltaState(), None, lambda: (delta_state(), ()))
    assert memo.known(0) is None
    assert memo.known(1) is not None
    first = memo.met(delta_state())
    for number in range(PLACES_MAX):
        memo.met(
            DeltaState(target=TARGET, types={CLUSTER: DeltaType(Subscription(CLUSTER, names=frozenset({f"{number}"})))})
        )
    assert memo.met(delta_state()) is not first


def test_incremental_streams_of_any_age_and_node_meet_when_nothing_is_under_way() -> None:
    memo = Memo()
    met = memo.met(delta_state(responses=7, generations=2))
    assert met is memo.met(delta_state(responses=9))
    assert (met.node, met.responses, met.generations) == (SOMEONE, 0, 0)


def test_state_of_the_world_streams_meet_whatever_their_nonces() -> None:
    def state(nonce: str) -> StreamState:
        answered = TypeState(ASKED, sent=HELD, accepted=HELD, nonce=nonce)
        return StreamState(Node("envoy-1"), TARGET, {CLUSTER: answered, ROUTE: TypeState(Subscription(ROUTE))})

    memo = Memo()
    met = memo.met(state("7"))
    assert met is memo.met(state("9"))
    assert isinstance(met, StreamState)
    assert (met.types[CLUSTER].nonce, met.types[ROUTE].nonce) == (ANSWERED, "")


@pytest.mark.parametrize(
    "state",
    [
        delta_state(lingering={1: frozenset({"a"})}),
        DeltaState(types={CLUSTER: DeltaType(ASKED, pending=Pending("1", (), (), HELD))}),
        StreamState(types={CLUSTER: TypeState(ASKED, sent=HELD, nonce="1", is_pending=True)}),
        DeltaState(types={CLUSTER: DeltaType(ASKED, UNKNOWN)}),
        StreamState(types={CLUSTER: TypeState(ASKED, accepted=UNKNOWN)}),
        StreamState(types={CLUSTER: TypeState(ASKED, accepted=HELD, sent=UNKNOWN)}),
    ],
    ids=["lingers", "waits", "waits (sotw)", "unknown", "unknown (sotw)", "unknown, sent (sotw)"],
)
def test_a_stream_keeps_its_own_state_while_that_matters(state: State) -> None:
    memo = Memo()
    assert memo.met(state) is state


def test_streams_of_groups_that_were_given_other_snapshots_do_not_meet() -> None:
    memo, other = Memo(), snapshot("a", "a")
    mine = memo.met(delta_state())
    assert mine is not memo.met(DeltaState(mine.node, other, mine.types))


def test_streams_of_the_two_modes_do_not_meet_though_both_have_asked_for_nothing_that_is_served() -> None:
    memo = Memo()
    sotw, delta = memo.met(StreamState(SOMEONE, TARGET)), memo.met(DeltaState(SOMEONE, TARGET))
    assert (type(sotw), type(delta)) == (StreamState, DeltaState)
