"""Steps of stream machines, worked out once for all streams that stand in the same place. Pure: no clock, no I/O.

The proxies of a fleet run the same and answer the same, so a thousand streams make the same step from equal states. A
step is a pure function of state and event: it is worked out for the first of them, and the others are given the very
objects that came of it. That is most of a push: 170 us of CPU for a push and its answer, with a thousand streams whose
states lie cold in memory.

States are made to meet: while nothing is under way on a stream, what tells its state from those of another age (the
node, the counts behind nonces and generations) is set back, and states that are equal then become one object.
`machine.py` gives each stream nonces of its own.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

from controlplane.xds.delta_state import DeltaState, DeltaType
from controlplane.xds.events import Effect, Node
from controlplane.xds.stream_state import StreamState, TypeState

# Two steps for each place that streams stand in, a push and its answer; a few dozen where a transition has pulled them
# apart. What is remembered keeps its snapshots alive: those of the last hundred publications.
STEPS_MAX = 256
PLACES_MAX = 64
# Stands in shared states for whoever it is.
SOMEONE = Node("someone")
# The nonce of whatever was answered in a shared state. Counts begin at 1.
ANSWERED = "0"

State = StreamState | DeltaState
Take = Callable[[], tuple[Any, tuple[Effect, ...]]]


@dataclass(frozen=True, slots=True)
class Step:
    """What an event has led to. The key names the state before, and what the event holds, by their identity: as long as
    the step is remembered no others can take their place in memory."""

    before: State
    event: object
    after: State
    effects: tuple[Effect, ...]


class Memo:
    """The steps and the places of all streams of one server."""

    def __init__(self) -> None:
        self._steps: OrderedDict[Hashable, Step] = OrderedDict()
        self._places: OrderedDict[Hashable, State] = OrderedDict()

    def known(self, key: Hashable) -> Step | None:
        return self._steps.get(key)

    def taken(self, key: Hashable, before: State, event: object, take: Take) -> Step:
        """Works a step out and remembers it. Raises what `take` raises; nothing is remembered then."""
        after, effects = take()
        step = self._steps[key] = Step(before, event, self.met(after), effects)
        if len(self._steps) > STEPS_MAX:
            self._steps.popitem(last=False)
        return step

    def met(self, state: State) -> State:
        """The state as the streams share it: one object for all that are equal, once nothing is under way."""
        shared = _without_age(state)
        if shared is None:
            return state
        # All streams of a group are given the same snapshot, so it is known by its identity.
        key = (type(shared), shared.node, id(shared.target), frozenset(shared.types.items()))
        known = self._places.get(key)
        if known is not None:
            return known
        self._places[key] = shared
        if len(self._places) > PLACES_MAX:
            self._places.popitem(last=False)
        return shared


def _without_age(state: State) -> State | None:
    """The state without what makes it one stream's own; None where that is needed, or where it cannot be compared:
    what a client has brought that nobody knows equals what is known of that version, but is worth less.
    """
    if state.lingering or any(_is_own(current) for current in state.types.values()):
        return None
    node = SOMEONE if state.node is not None else None
    if isinstance(state, DeltaState):
        return replace(state, node=node, responses=0, generations=0)
    types = {url: replace(current, nonce=ANSWERED if current.nonce else "") for url, current in state.types.items()}
    return replace(state, node=node, types=types, responses=0, generations=0)


def _is_own(current: TypeState | DeltaType) -> bool:
    known = (current.accepted, current.sent) if isinstance(current, TypeState) else (current.accepted,)
    return current.pending is not None or any(held is not None and held.has_opaque for held in known)
