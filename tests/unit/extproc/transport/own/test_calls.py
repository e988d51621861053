"""Calls without a socket: events of a connection in, frames out."""

import logging
from dataclasses import dataclass, field

import pytest

from extproc.grpc_wire.framing import framed
from extproc.grpc_wire.status import Status
from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.hpack_decode import HpackDecoder
from extproc.h2.hpack_table import Field
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import INITIAL_WINDOW_SIZE
from extproc.processing.session import Reply
from extproc.transport import port
from extproc.transport.own import calls as calls_module
from extproc.transport.own.calls import MESSAGE_BYTES_MAX, UNFINISHED_BYTES_MAX, Calls, Service
from tests.unit.extproc.h2.peer import FIELDS, Peer, block, data, headers, rst
from tests.unit.extproc.transport.sidecar import EchoStream, RecordingSidecar, histogram

OK = [(b"grpc-status", b"0")]
HEAD = [(b":status", b"200"), (b"content-type", b"application/grpc")]


class ScriptedStream(EchoStream):
    """Answers by what the message says: words of "say", "done", "raise"."""

    def receive(self, message: bytes) -> Reply:
        if message == b"raise":
            raise RuntimeError("as told")
        self.sidecar.messages.append(message)
        return Reply(message if b"say" in message else None, is_done=b"done" in message)


@dataclass
class ScriptedSidecar(RecordingSidecar):
    faults: list[str] = field(default_factory=list)

    def open_process(self) -> EchoStream:
        if "open" in self.faults:
            raise RuntimeError("as told")
        return ScriptedStream(self)

    def access_logs(self, message: bytes) -> None:
        if "logs" in self.faults:
            raise RuntimeError("as told")
        super().access_logs(message)


class Client(Peer):
    """A gRPC client of one connection."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits or Limits())
        self.sidecar = ScriptedSidecar()
        self.ticks = 0.0
        self.processing = histogram()
        self.service = Service(self.sidecar, self.processing, self._timer)
        self.calls = Calls(self.connection, self.service)
        self._decoder = HpackDecoder(16_384)

    def _timer(self) -> float:
        self.ticks += 0.25
        return self.ticks

    def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            for event in self.connection.receive(piece, 0.0):
                try:
                    self.calls.handle(event)
                except RuntimeError:
                    self.calls.fail(event)

    def opens(self, method: str = port.PROCESS_METHOD, stream_id: int = 1, *, end: bool = False, **also: bytes) -> None:
        fields = [(name, method.encode() if name == b":path" else value) for name, value in FIELDS]
        more = [(name.replace("_", "-").encode(), value) for name, value in also.items()]
        self.says(headers(stream_id, of=block([*fields, *more]), end=end))

    def gets(self, stream_id: int = 1) -> list[bytes | list[Field] | ErrorCode]:
        """What came on a stream: fields, data, a reset."""
        heard: list[bytes | list[Field] | ErrorCode] = []
        for frame in self.hears():
            fields = self._decoder.decode(frame.payload) if frame.kind == frames.HEADERS else None
            if frame.stream_id != stream_id:
                continue
            if fields is not None:
                heard.append(fields)
            elif frame.kind == frames.DATA:
                heard.append(frame.payload)
            elif frame.kind == frames.RST_STREAM:
                heard.append(ErrorCode(frames.unpack_id(frame.payload)[0]))
        return heard

    def status(self, stream_id: int = 1) -> Status:
        """The status of a call that ended without a message."""
        (only,) = self.gets(stream_id)
        assert isinstance(only, list)
        assert only[:2] == HEAD
        return Status(int(dict(only)[b"grpc-status"]))


def message(text: bytes, stream_id: int = 1, *, end: bool = False) -> bytes:
    return data(framed(text), stream_id, end=end)


def test_a_tag_is_head_message_and_trailers() -> None:
    client = Client()
    client.opens()
    client.says(message(b"say done"))
    assert client.gets() == [HEAD, framed(b"say done"), OK]
    assert client.sidecar.closed == 1
    (bins,) = client.processing.values.values()
    assert (sum(bins.counts), bins.sum_s) == (1, 0.25)
    client.says(rst())
    assert client.sidecar.closed == 1


def test_what_comes_behind_the_answer_is_not_wanted() -> None:
    """RFC 9113 8.1: the peer is asked to stop, without error."""
    client = Client()
    client.opens()
    client.says(message(b"say done"), message(b"more"))
    assert client.gets()[-1] is ErrorCode.NO_ERROR
    client.says(message(b"even more"))
    assert client.gets() == []
    assert client.sidecar.messages == [b"say done"]


def test_the_end_behind_the_answer_is_fine() -> None:
    client = Client()
    client.opens()
    client.says(message(b"say done"), data(b"", end=True))
    assert client.gets() == [HEAD, framed(b"say done"), OK]


def test_several_answers_then_the_end() -> None:
    client = Client()
    client.opens()
    client.says(message(b"say 1"), message(b"hear"), message(b"say 2"), message(b"say done"))
    assert client.gets() == [HEAD, framed(b"say 1"), framed(b"say 2"), framed(b"say done"), OK]
    client.opens(stream_id=3)
    client.says(message(b"say 1", 3), message(b"done", 3))
    assert client.gets(3) == [HEAD, framed(b"say 1"), OK]
    assert client.sidecar.closed == 2


def test_a_stream_that_is_closed_without_an_answer_is_ok() -> None:
    client = Client()
    client.opens()
    client.says(message(b"hear"), message(b"done"))
    assert client.status() is Status.OK


def test_a_stream_that_the_peer_ends_is_ok() -> None:
    client = Client()
    client.opens(end=True)
    assert client.status() is Status.OK
    client.opens(stream_id=3)
    client.says(message(b"hear", 3, end=True))
    assert client.status(3) is Status.OK
    assert client.sidecar.closed == 2


def test_messages_of_any_cut() -> None:
    client = Client()
    client.opens()
    wire = framed(b"hear 1") + framed(b"hear 2") + framed(b"say done") + framed(b"late")
    client.says(*(data(wire[n : n + 4]) for n in range(0, len(wire), 4)))
    assert client.sidecar.messages == [b"hear 1", b"hear 2", b"say done"]
    assert client.calls.budget.left == UNFINISHED_BYTES_MAX
    client.opens(stream_id=3)
    client.says(data(wire, 3))
    assert client.sidecar.messages[3:] == [b"hear 1", b"hear 2", b"say done"]


def test_a_stream_that_ends_inside_a_message_fails() -> None:
    client = Client()
    client.opens()
    client.says(data(framed(b"hear")[:7], end=True))
    assert client.status() is Status.INTERNAL
    assert client.calls.budget.left == UNFINISHED_BYTES_MAX


def test_a_message_that_is_too_long_is_refused() -> None:
    client = Client()
    client.opens()
    client.says(data(b"\0" + (MESSAGE_BYTES_MAX + 1).to_bytes(4, "big")))
    assert client.status() is Status.RESOURCE_EXHAUSTED
    assert client.sidecar.closed == 1


def test_a_compressed_message_is_refused() -> None:
    client = Client()
    client.opens(grpc_encoding=b"gzip")
    client.says(data(b"\1\0\0\0\1x"))
    assert client.status() is Status.UNIMPLEMENTED
    client.opens(stream_id=3)
    client.says(message(b"say 1", 3), data(b"\1\0\0\0\1x", 3))
    assert client.gets(3)[-1] == [
        (b"grpc-status", b"13"),
        (b"grpc-message", b"compressed flag without an encoding"),
    ]


def test_a_reset_closes_the_session_and_lets_go_what_was_kept() -> None:
    client = Client()
    client.opens()
    client.says(data(framed(b"hear")[:7]))
    assert client.calls.budget.left < UNFINISHED_BYTES_MAX
    client.says(rst())
    assert client.sidecar.closed == 1
    assert client.calls.budget.left == UNFINISHED_BYTES_MAX
    client.calls.close()
    assert client.sidecar.closed == 1


def test_a_broken_rule_closes_every_session() -> None:
    client = Client()
    client.opens()
    client.opens(stream_id=3)
    client.says(rst(0))
    assert client.sidecar.closed == 2


def test_resets_of_observed_streams_are_no_flood() -> None:
    client = Client(Limits(premature_resets_max=2))
    for stream_id in range(1, 21, 2):
        client.opens(stream_id=stream_id)
        client.says(message(b"hear", stream_id), rst(stream_id))
    assert not client.connection.is_over


def test_an_answer_that_waits_for_the_peers_window_may_be_reset() -> None:
    client = Client()
    client.says(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    client.opens()
    client.says(message(b"say done"))
    assert client.sidecar.closed == 1
    client.says(rst())
    assert client.connection.streams.find(1) is None


def test_a_call_may_be_closed_twice() -> None:
    client = Client()
    client.opens()
    call = client.connection.streams.live[1].call
    call.close()
    call.close()
    assert client.sidecar.closed == 1


def test_an_answer_that_nobody_reads_ends_its_call() -> None:
    client = Client(Limits(queued_bytes_max=10))
    client.says(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    client.opens()
    client.says(message(b"say something, but go on"))
    assert client.gets() == [HEAD, ErrorCode.ENHANCE_YOUR_CALM]
    assert client.sidecar.closed == 1


def test_a_handler_that_raises_ends_only_its_call() -> None:
    client = Client()
    client.opens()
    client.says(message(b"raise"))
    assert client.status() is Status.INTERNAL
    assert client.sidecar.closed == 1
    client.sidecar.faults = ["open", "logs"]
    client.opens(stream_id=3)
    assert client.gets(3) == [ErrorCode.INTERNAL_ERROR]
    client.opens(port.ACCESS_LOGS_METHOD, 5)
    client.says(message(b"entry", 5))
    assert client.status(5) is Status.INTERNAL
    client.sidecar.faults = []
    client.opens(stream_id=7)
    client.says(message(b"say done", 7))
    assert client.gets(7)[-1] == OK


def test_a_fault_that_belongs_to_no_call_ends_none() -> None:
    client = Client()
    client.opens()
    (event,) = client.connection.receive(frames.goaway(0, 0), 0.0)
    client.calls.handle(event)
    client.calls.fail(event)
    assert client.gets() == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({b":method": b"GET"}, b"405"),
        ({b"content-type": b"application/json"}, b"415"),
    ],
)
def test_what_is_no_call_gets_an_http_status(fields: dict[bytes, bytes], status: bytes) -> None:
    client = Client()
    client.says(headers(of=block([(name, fields.get(name, value)) for name, value in FIELDS])))
    (only,) = client.gets()
    assert isinstance(only, list)
    assert only[0] == (b":status", status)
    assert b"grpc-status" not in dict(only)


def test_an_unknown_method_is_unimplemented() -> None:
    client = Client()
    client.opens("/envoy.service.ext_proc.v3.ExternalProcessor/Other")
    assert client.status() is Status.UNIMPLEMENTED


def test_headers_too_large_are_told_so() -> None:
    client = Client(Limits(header_list_bytes_max=400))
    client.opens(x_large=bytes(300))
    assert client.status() is Status.RESOURCE_EXHAUSTED


# Access logs.


def test_log_messages_are_taken_and_never_answered() -> None:
    client = Client()
    client.opens(port.ACCESS_LOGS_METHOD)
    client.says(message(b"1"), message(b"2"))
    assert client.gets() == []
    client.says(data(b"", end=True))
    assert client.status() is Status.OK
    assert client.sidecar.logs == [b"1", b"2"]


def test_draining_ends_a_log_stream_and_still_takes_what_was_under_way() -> None:
    client = Client()
    client.opens(port.ACCESS_LOGS_METHOD)
    client.says(message(b"1"))
    client.calls.drain()
    assert client.gets() == [[*HEAD, *OK]]
    client.calls.drain()
    client.says(message(b"2"), data(framed(b"3")[:3]), data(framed(b"3")[3:]))
    assert client.sidecar.logs == [b"1", b"2", b"3"]
    client.says(data(b"", end=True))
    assert client.gets() == []
    assert client.connection.streams.lingering == {}


def test_a_log_stream_that_was_ended_may_be_reset() -> None:
    client = Client()
    client.opens(port.ACCESS_LOGS_METHOD)
    client.calls.drain()
    client.says(message(b"late"), rst())
    assert client.sidecar.logs == [b"late"]
    assert client.connection.streams.lingering == {}


def test_a_log_stream_that_was_opened_before_goaway_was_read_is_ended_too() -> None:
    client = Client()
    client.calls.drain()
    (ping,) = [frame for frame in client.hears() if frame.kind == frames.PING]
    client.opens(port.ACCESS_LOGS_METHOD)
    client.says(message(b"1"))
    assert client.gets() == []
    client.says(frames.ping(ping.payload, is_ack=True))
    assert client.status() is Status.OK
    assert client.sidecar.logs == [b"1"]


# Health.


def test_health_is_answered_once() -> None:
    client = Client()
    client.opens(port.HEALTH_CHECK_METHOD)
    client.says(message(b"", end=True))
    assert client.gets() == [HEAD, framed(port.HEALTH_SERVING), OK]
    client.service.is_serving = False
    client.opens(port.HEALTH_CHECK_METHOD, 3, end=True)
    assert client.gets(3) == [HEAD, framed(port.HEALTH_NOT_SERVING), OK]


def test_health_is_watched_until_the_process_drains() -> None:
    client = Client()
    client.opens(port.HEALTH_WATCH_METHOD)
    client.says(message(b""), message(b""), data(b"", end=True))
    assert client.gets() == [HEAD, framed(port.HEALTH_SERVING)]
    client.service.is_serving, client.service.is_draining = False, True
    client.calls.drain()
    assert client.gets() == [framed(port.HEALTH_NOT_SERVING), OK]
    client.opens(port.HEALTH_WATCH_METHOD, 3, end=True)
    assert client.gets(3) == [HEAD, framed(port.HEALTH_NOT_SERVING), OK]


def test_a_watch_without_a_message_is_a_watch() -> None:
    client = Client()
    client.opens(port.HEALTH_WATCH_METHOD, end=True)
    assert client.gets() == [HEAD, framed(port.HEALTH_SERVING)]
    client.says(rst())
    assert client.connection.streams.live == {}


def test_draining_leaves_tags_and_observed_streams_alone() -> None:
    client = Client()
    client.opens()
    client.says(message(b"hear"))
    client.calls.drain()
    assert client.gets() == []
    client.says(message(b"done"))
    assert client.status() is Status.OK


def test_the_core_does_not_log() -> None:
    assert not [value for value in vars(calls_module).values() if isinstance(value, logging.Logger)]
