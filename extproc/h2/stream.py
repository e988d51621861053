"""One stream and its states (RFC 9113 5.1), as the two facts that they are made of: who has ended it.

    ended          state                  the peer may send                 we may send
    0              open                   DATA, HEADERS that end            everything
    BY_PEER        half-closed (remote)   RST_STREAM, WINDOW_UPDATE         everything
    BY_US          half-closed (local)    DATA, HEADERS that end            RST_STREAM, WINDOW_UPDATE
    BY_PEER|BY_US  closed                 nothing; what was under way       nothing

"Idle" is no object: it is an identifier above the last one seen. "Reserved" cannot be: we never push. PRIORITY is legal
in every state and means nothing.

END_STREAM sets one fact, RST_STREAM of either side both. A frame that its row does not name is a STREAM_CLOSED fault.
"""

from typing import Any

BY_PEER = 1
BY_US = 2
BY_BOTH = BY_PEER | BY_US


class Stream:
    """Mutable, owned by its connection; identity is what counts. Not a dataclass: one is made for every request."""

    __slots__ = ("call", "content_left", "ended", "id", "is_served", "queue", "send_window", "unreturned_bytes")

    def __init__(
        self, stream_id: int, send_window: int, content_left: int | None, ended: int = 0, unreturned_bytes: int = 0
    ) -> None:
        self.id = stream_id
        self.ended = ended
        # What we may send, and what the peer has sent that was not given back.
        self.send_window = send_window
        self.unreturned_bytes = unreturned_bytes
        # Of the content-length, when there is one.
        self.content_left = content_left
        # What waits for the peer's window (sending.Queue), in almost no stream.
        self.queue: Any = None
        # Set by whoever handled a message of it that needs no answer: a reset is not premature then.
        self.is_served = False
        # What the layer above keeps of it. Once an answered stream has none, nobody wants to hear of its end.
        self.call: Any = None

    def __repr__(self) -> str:
        state = ("open", "half-closed (remote)", "half-closed (local)", "closed")[self.ended]
        return f"<Stream {self.id} {state}>"
