"""Calls that stay: logs and health, from the first message to the drain."""

from extproc.grpc_wire.framing import framed
from extproc.grpc_wire.status import Status
from extproc.h2 import frames
from extproc.transport import port
from tests.unit.extproc.h2.peer import data, rst
from tests.unit.extproc.transport.own.call_client import HEAD, OK, Client, message


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
