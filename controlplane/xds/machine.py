"""A stream's machine behind one face, whichever method the proxy called. No I/O.

Nonces are unique on a stream, while states are shared by streams (`memo.py`). So each stream counts its own responses:
a nonce of its own stands for the state's outside, and the state's for it inside. One that is not the newest of its type
is none that a state knows.
"""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, assert_never

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER
from controlplane.xds import delta, stream, wire
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.events import DeltaRequest, DeltaSend, Effect, Lingered, Overdue, Published, Request, Send
from controlplane.xds.memo import Memo, State
from controlplane.xds.stream_state import StreamState

_STALE = "stale"
_BEGINNING: dict[Mode, State] = {Mode.SOTW: StreamState(), Mode.DELTA: DeltaState()}

Event = Request | DeltaRequest | Published | Lingered | Overdue


class Machine:
    """The state of one stream, and how its bytes are read. `memo` is that of all streams."""

    __slots__ = ("_advance", "_memo", "_newest", "_parse", "_responses", "mode", "state")

    def __init__(self, mode: Mode, memo: Memo) -> None:
        self.mode = mode
        self.state = _BEGINNING[mode]
        # Each pair belongs to one mode; the events of the other never reach it.
        self._advance: Any = stream.advance if mode is Mode.SOTW else delta.advance
        self._parse = wire.parse_request if mode is Mode.SOTW else wire.parse_delta_request
        self._memo = memo
        self._responses = 0
        # By type: the nonce of the newest response, as the client knows it.
        self._newest: dict[str, str] = {}

    def parse(self, data: bytes) -> Request | DeltaRequest:
        """Raises StreamError."""
        return self._parse(data)

    def advance(self, event: Event) -> tuple[Effect, ...]:
        """Raises StreamError; the state is then as it was."""
        before = self.state
        if before.node is None:
            # Who it is, is told by this event alone.
            after, effects = self._advance(before, event)
            self.state = self._memo.met(after)
        else:
            nonce = self._inner(event)
            key = _key(before, event, nonce)
            step = self._memo.known(key)
            if step is None:
                step = self._memo.taken(key, before, event, lambda: self._advance(before, _told_as(event, nonce)))
            self.state, effects = step.after, step.effects
        return tuple([self._sent(effect) if isinstance(effect, Send | DeltaSend) else effect for effect in effects])

    def _inner(self, event: Event) -> str | None:
        """The event's nonce as the state knows it; None for one that has none."""
        match event:
            case Request() | DeltaRequest():
                type_url, nonce = event.type_url, event.nonce
            case Overdue(nonce=nonce):
                type_url = CLUSTER
            case _:
                return None
        if not nonce:
            return ""
        return _newest_of(self.state, type_url) if nonce == self._newest.get(type_url) else _STALE

    def _sent(self, effect: Send | DeltaSend) -> Send | DeltaSend:
        self._responses += 1
        type_url, nonce = effect.type_url, str(self._responses)
        self._newest[type_url] = nonce
        if isinstance(effect, Send):
            return Send(type_url, nonce, effect.resources, effect.version)
        return DeltaSend(type_url, nonce, effect.changed, effect.removed, effect.version)


def _told_as(event: Any, nonce: str | None) -> Event:
    told: Event = event if nonce is None else replace(event, nonce=nonce)
    return told


def _newest_of(state: State, type_url: str) -> str:
    if isinstance(state, StreamState):
        return state.types[type_url].nonce
    pending = state.types[type_url].pending
    return pending.nonce if pending is not None else _STALE


def _key(state: State, event: Event, nonce: str | None) -> Hashable:
    """All that an event says to a state whose node is known; large values that are shared by their identity."""
    match event:
        case Published(snapshot):
            return id(state), id(snapshot)
        case DeltaRequest(type_url=type_url, error=error):
            return id(state), type_url, nonce, error, event.subscribe, event.unsubscribe, id(event.brought)
        case Request(type_url=type_url, error=error):
            return id(state), type_url, nonce, error, event.names, event.version, id(event.brought)
        case Lingered(generation):
            return id(state), Lingered, generation
        case Overdue():
            return id(state), Overdue, nonce
        case _:
            assert_never(event)
