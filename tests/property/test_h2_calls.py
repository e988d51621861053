"""However the bytes of gRPC calls are cut into frames and reads, each call gets the same answer.

A state machine plays a client that mixes calls, sends messages in pieces, resets, pads, opens and shuts windows; a model
of a few lines says what must come back on each stream. The server is everything but the socket.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from extproc.grpc_wire.framing import framed
from extproc.h2 import frames
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import INITIAL_WINDOW_SIZE
from extproc.transport import port
from extproc.transport.own.call import UNFINISHED_BYTES_MAX
from tests.unit.extproc.h2.peer import FIELDS, GREETING, block, padded
from tests.unit.extproc.transport.own.call_client import Client

LIMITS = Limits(stream_window_bytes=100_000, connection_window_bytes=300_000)
METHODS = (port.PROCESS_METHOD, port.ACCESS_LOGS_METHOD, port.HEALTH_CHECK_METHOD, "/no.Such/Method")
WORDS = (b"hear", b"say", b"say done", b"done", b"say " + b"long" * 300, b"")


@dataclass
class Told:
    """One call as the client knows it: what it has sent in whole messages, and what it may expect."""

    method: str
    unsent: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    is_ended: bool = False
    is_reset: bool = False

    def answers(self) -> list[bytes]:
        """By the script of `call_client`: messages that say something come back until one is done."""
        if self.method == port.HEALTH_CHECK_METHOD:
            return [port.HEALTH_SERVING] if self.messages or self.is_ended else []
        if self.method != port.PROCESS_METHOD:
            return []
        heard = []
        for message in self.messages:
            if b"say" in message:
                heard.append(message)
            if b"done" in message:
                break
        return heard

    def is_over(self) -> bool:
        if self.method == "/no.Such/Method" or self.is_ended:
            return True
        if self.method == port.HEALTH_CHECK_METHOD:
            return bool(self.messages)
        return self.method == port.PROCESS_METHOD and any(b"done" in message for message in self.messages)


class CallsOfAnyCut(RuleBasedStateMachine):
    """Bytes wait in `wire` until a rule lets some through, so reads end anywhere."""

    streams = Bundle("streams")

    @initialize(window=st.sampled_from([0, 5, 65_535]))
    def connect(self, window: int) -> None:
        self.client = Client(LIMITS)
        self.told: dict[int, Told] = {}
        self.data: dict[int, bytes] = {}
        self.ends: dict[int, list[tuple[bytes, bytes]]] = {}
        self.wire = frames.settings({INITIAL_WINDOW_SIZE: window})
        self.window = window

    @rule(target=streams, method=st.sampled_from(METHODS))
    def opens(self, method: str) -> int:
        stream_id = 1 + 2 * len(self.told)
        self.told[stream_id] = Told(method)
        fields = [(name, method.encode() if name == b":path" else value) for name, value in FIELDS]
        self.wire += frames.frame(frames.HEADERS, frames.END_HEADERS, stream_id, block(fields))
        return stream_id

    @rule(stream_id=streams, word=st.sampled_from(WORDS), size=st.integers(1, 2_000), pad=st.sampled_from([0, 0, 7]))
    def says(self, stream_id: int, word: bytes, size: int, pad: int) -> None:
        """A message, and DATA of some size out of all that was not sent."""
        told = self.told[stream_id]
        if told.is_ended or told.is_reset:
            return
        told.unsent += framed(word)
        told.messages.append(word)
        self._sends(stream_id, size, pad)

    def _sends(self, stream_id: int, size: int, pad: int) -> None:
        told = self.told[stream_id]
        piece, told.unsent = told.unsent[:size], told.unsent[size:]
        payload = padded(piece, pad) if pad else piece
        self.wire += frames.frame(frames.DATA, frames.PADDED if pad else 0, stream_id, payload)

    @rule(stream_id=streams)
    def ends_it(self, stream_id: int) -> None:
        told = self.told[stream_id]
        if not (told.is_ended or told.is_reset):
            told.is_ended = True
            self.wire += frames.frame(frames.DATA, frames.END_STREAM, stream_id, told.unsent)
            told.unsent = b""

    @rule(stream_id=streams)
    def resets_it(self, stream_id: int) -> None:
        told = self.told[stream_id]
        if not told.is_reset:
            told.is_reset = True
            self.wire += frames.rst_stream(stream_id, 8)

    @precondition(lambda self: self.window < 65_535)
    @rule()
    def opens_its_windows(self) -> None:
        self.window = 65_535
        self.wire += frames.settings({INITIAL_WINDOW_SIZE: self.window})

    @rule(size=st.integers(1, 3_000))
    def some_bytes_arrive(self, size: int) -> None:
        piece, self.wire = self.wire[:size], self.wire[size:]
        self.client.says(piece)
        self._hear()

    def _hear(self) -> None:
        for frame in self.client.hears():
            assert frame.kind != frames.GOAWAY, frame
            if frame.kind == frames.DATA:
                self.data[frame.stream_id] = self.data.get(frame.stream_id, b"") + frame.payload
            elif frame.kind == frames.HEADERS:
                fields = self.client._decoder.decode(frame.payload) or []
                if frame.flags & frames.END_STREAM:
                    self.ends[frame.stream_id] = fields
            elif frame.kind == frames.RST_STREAM:
                assert frames.unpack_id(frame.payload)[0] == 0, "only asked to stop sending, without error"

    @invariant()
    def no_answer_says_more_than_it_should(self) -> None:
        for stream_id, data in getattr(self, "data", {}).items():
            assert b"".join(map(framed, self.told[stream_id].answers())).startswith(data)

    def teardown(self) -> None:
        """Everything arrives: now every call has its whole answer, and nothing is kept of those that are over."""
        if not hasattr(self, "client"):
            return
        self.wire += frames.settings({INITIAL_WINDOW_SIZE: 65_535}) + frames.window_update(0, 1_000_000)
        for stream_id, told in self.told.items():
            while told.unsent and not told.is_reset:
                self._sends(stream_id, 16_000, 0)
        self.client.says(self.wire)
        self._hear()
        for stream_id, told in self.told.items():
            if told.is_reset:
                continue
            assert self.data.get(stream_id, b"") == b"".join(map(framed, told.answers())), told
            assert (stream_id in self.ends) == told.is_over(), told
        self.client.says(*(frames.rst_stream(each, 8) for each, told in self.told.items() if not told.is_reset))
        assert not self.client.connection.streams.live
        assert self.client.calls.budget.left == UNFINISHED_BYTES_MAX
        opened = sum(told.method == port.PROCESS_METHOD for told in self.told.values())
        assert self.client.sidecar.closed == opened


TestCallsOfAnyCut = CallsOfAnyCut.TestCase
TestCallsOfAnyCut.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.sampled_from([framed(b"say 1"), framed(b"hear"), framed(b"say done")]), max_size=6), st.data())
def test_reads_of_any_size_give_the_same_bytes(messages: list[bytes], drawn: st.DataObject) -> None:
    """The whole output, frame by frame, whatever the reads were."""
    sent = GREETING + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block(FIELDS))
    sent += frames.frame(frames.DATA, frames.END_STREAM, 1, b"".join(messages))
    cuts = sorted(drawn.draw(st.sets(st.integers(1, len(sent) - 1), max_size=10)))

    def output(edges: list[int]) -> bytes:
        client = Client(LIMITS, greets=False)
        for start, end in zip([0, *edges], [*edges, len(sent)], strict=True):
            client.says(sent[start:end])
        return client.connection.output()

    assert output(cuts) == output([])


NARROW = Limits(stream_window_bytes=400, connection_window_bytes=70_000, streams_max=4, lingering_max=3)
PIECES = (
    *(framed(word) for word in WORDS),
    *(framed(b"say done")[:7], framed(b"say done") * 2, framed(b"say done" + bytes(300)), b"", framed(b"raise")),
)


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    """Frames of calls on streams that mostly are new, with all that may make one unusual."""
    wire, last = b"", -1
    for _ in range(draw(st.integers(1, 12))):
        last += 2
        stream_id = draw(st.sampled_from([last, last, last, last, last + 1, max(1, last - 2)]))
        kind = draw(st.sampled_from(["whole", "whole", "whole", "whole", "ended", "padded", "priority", "cut", "none"]))
        fields, flags = block(FIELDS), frames.END_HEADERS
        if kind == "padded":
            fields, flags = padded(fields, 3), flags | frames.PADDED
        if kind == "priority":
            fields, flags = b"\x00\x00\x00\x00\x10" + fields, flags | frames.WITH_PRIORITY
        wire += frames.frame(frames.HEADERS, flags, stream_id, fields)
        if kind != "none":
            end = frames.END_STREAM if kind == "ended" else 0
            for each in draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=2)):
                wire += frames.frame(frames.DATA, end, draw(st.sampled_from([stream_id] * 9 + [stream_id + 2])), each)
        wire += draw(
            st.sampled_from([b"", b"", frames.rst_stream(stream_id, 8), frames.ping(b"12345678", is_ack=False)])
        )
        wire += draw(
            st.sampled_from([b"", b"", b"", b"", frames.settings({INITIAL_WINDOW_SIZE: 5}), frames.goaway(0, 0)])
        )
    return wire


@settings(max_examples=400, deadline=None)
@given(conversations(), st.booleans(), st.data())
def test_what_is_answered_at_once_is_answered_alike(sent: bytes, has_drained: bool, drawn: st.DataObject) -> None:
    """The same bytes come back and the sidecar hears the same, whether answers are at hand or not, and however the
    bytes are cut: a whole request in one read is answered at once, the same in two reads the usual way."""
    cuts = sorted(drawn.draw(st.sets(st.integers(1, max(1, len(sent) - 1)), max_size=6)))
    told: list[tuple[bytes, list[bytes], int]] = []
    for is_quick, edges in ((False, []), (True, []), (True, cuts)):
        client = Client(NARROW, is_quick=is_quick)
        # The first request is decoded, the second is of a known block.
        client.says(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block(FIELDS)), frames.rst_stream(1, 8))
        client.says(frames.frame(frames.HEADERS, frames.END_HEADERS, 3, block(FIELDS)), frames.rst_stream(3, 8))
        if has_drained:
            client.calls.drain()
        shifted = _shifted(sent, 4)
        for start, end in zip([0, *edges], [*edges, len(shifted)], strict=True):
            client.says(shifted[start:end])
        live = len(client.connection.streams.live)
        told.append((client.connection.output(), client.sidecar.messages, live))
    assert told[0] == told[1] == told[2]


def _shifted(sent: bytes, by: int) -> bytes:
    """The frames on streams that many further on."""
    out, at = b"", 0
    while at < len(sent):
        word, flags, stream_id = frames.unpack_head(sent, at)
        end = at + frames.HEAD_BYTES + (word >> 8)
        moved = stream_id + by if stream_id else 0
        out += frames.frame(word & 0xFF, flags, moved, sent[at + frames.HEAD_BYTES : end])
        at = end
    return out
