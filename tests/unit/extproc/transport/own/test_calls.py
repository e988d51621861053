"""Calls without a socket: events of a connection in, frames out."""

import logging

import pytest

from extproc.grpc_wire.framing import framed
from extproc.grpc_wire.status import REFUSAL_BODY, Status
from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE
from extproc.transport import port
from extproc.transport.own import calls as calls_module
from extproc.transport.own.call import MESSAGE_BYTES_MAX, UNFINISHED_BYTES_MAX
from tests.unit.extproc.h2.peer import FIELDS, block, data, headers, rst
from tests.unit.extproc.transport.own.call_client import HEAD, OK, Client, message


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


def test_what_comes_while_the_answer_waits_for_a_window_does_not_cut_it_off() -> None:
    client = Client()
    client.says(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    client.opens()
    client.says(message(b"say done"), message(b"more"))
    assert client.gets() == [HEAD]
    client.says(frames.window_update(1, 1_000))
    assert client.gets() == [framed(b"say done"), OK]
    client.says(message(b"even more"))
    assert client.gets() == [ErrorCode.NO_ERROR]


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
    assert client.status() is Status.UNKNOWN
    assert client.sidecar.closed == 1
    client.sidecar.faults = ["open", "logs"]
    client.opens(stream_id=3)
    assert client.status(3) is Status.UNKNOWN
    client.opens(port.ACCESS_LOGS_METHOD, 5)
    client.says(message(b"entry", 5))
    assert client.status(5) is Status.UNKNOWN
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
def test_what_is_no_call_gets_an_http_status_once_it_has_ended(fields: dict[bytes, bytes], status: bytes) -> None:
    client = Client()
    client.says(headers(of=block([(name, fields.get(name, value)) for name, value in FIELDS])), data(b"any"))
    assert client.gets() == []
    assert list(client.connection.streams.live) == [1]
    client.says(data(b"thing", end=True))
    head, *body = client.gets()
    assert isinstance(head, list)
    assert head[0] == (b":status", status)
    assert b"grpc-status" not in dict(head)
    assert body == [REFUSAL_BODY, b""]
    assert client.connection.streams.find(1) is None


def test_head_gets_a_status_and_no_body() -> None:
    client = Client()
    client.says(headers(of=block([(b":method", b"HEAD"), *FIELDS[1:]]), end=True))
    (only,) = client.gets()
    assert isinstance(only, list)
    assert only[0] == (b":status", b"405")


def test_the_body_of_a_refusal_waits_for_the_peers_window_and_ends_behind_new_settings() -> None:
    client = Client()
    client.says(frames.settings({INITIAL_WINDOW_SIZE: 0}))
    client.says(headers(of=block([(b":method", b"GET"), *FIELDS[1:]]), end=True))
    assert len(client.gets()) == 1
    client.says(frames.settings({HEADER_TABLE_SIZE: 0}))
    assert client.gets() == []
    client.says(frames.window_update(1, 1_000))
    assert client.gets() == [REFUSAL_BODY, b""]
    client.opens(stream_id=3, end=True)
    assert client.status(3) is Status.OK, "the update of our table starts the next block"


def test_what_is_no_call_may_be_reset() -> None:
    client = Client()
    client.says(headers(of=block([(b":method", b"GET"), *FIELDS[1:]])), rst())
    assert client.gets() == []
    assert client.connection.streams.find(1) is None


def test_an_unknown_method_is_unimplemented() -> None:
    client = Client()
    client.opens("/envoy.service.ext_proc.v3.ExternalProcessor/Other")
    assert client.status() is Status.UNIMPLEMENTED


def test_headers_too_large_are_told_so() -> None:
    client = Client(Limits(header_list_bytes_max=400))
    client.opens(x_large=bytes(300))
    assert client.status() is Status.RESOURCE_EXHAUSTED


# Access logs.


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
