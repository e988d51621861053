"""A stream's machine behind one face, whichever method the proxy called. No I/O."""

from typing import Any

from controlplane.snapshot.mode import Mode
from controlplane.xds import delta, stream, wire
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.events import DeltaRequest, Effect, Lingered, Overdue, Published, Request
from controlplane.xds.stream_state import StreamState


class Machine:
    """The state of one stream, and how its bytes are read."""

    __slots__ = ("_advance", "_parse", "mode", "state")

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.state: StreamState | DeltaState = StreamState() if mode is Mode.SOTW else DeltaState()
        # Each pair belongs to one mode; the events of the other never reach it.
        self._advance: Any = stream.advance if mode is Mode.SOTW else delta.advance
        self._parse = wire.parse_request if mode is Mode.SOTW else wire.parse_delta_request

    def parse(self, data: bytes) -> Request | DeltaRequest:
        """Raises StreamError."""
        return self._parse(data)

    def advance(self, event: Request | DeltaRequest | Published | Lingered | Overdue) -> tuple[Effect, ...]:
        """Raises StreamError; the state is then as it was."""
        effects: tuple[Effect, ...]
        self.state, effects = self._advance(self.state, event)
        return effects
