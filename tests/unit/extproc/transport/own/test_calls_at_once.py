"""Calls whose answer is at hand: the same bytes as in the usual way, whatever is unusual about the frames."""

import pytest

from extproc.grpc_wire.framing import framed
from extproc.h2 import frames
from extproc.h2.limits import Limits
from extproc.h2.peer_settings import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE
from tests.unit.extproc.h2.peer import FIELDS, block, data, headers, padded, rst
from tests.unit.extproc.transport.own.call_client import HEAD, OK, Client, message


def test_an_answer_that_is_at_hand_needs_no_stream_of_the_sidecar() -> None:
    client = Client(is_quick=True)
    client.opens(stream_id=1)
    client.opens(stream_id=3)
    client.says(headers(5) + message(b"say done", 5) + headers(7) + message(b"say done", 7))
    assert client.quick == client.sidecar.messages == [b"say done"] * 2
    assert client.sidecar.closed == 0
    (bins,) = client.processing.values.values()
    assert (sum(bins.counts), bins.sum_s) == (2, 0.25)
    assert client.gets(7) == [HEAD, framed(b"say done"), OK]
    client.says(rst(5), rst(7))
    assert not client.connection.streams.lingering


@pytest.mark.parametrize("text", [b"hear", b"raise", b"say"])
def test_whatever_is_not_at_hand_takes_the_usual_way(text: bytes) -> None:
    client = Client(is_quick=True)
    client.opens(stream_id=1)
    client.opens(stream_id=3)
    client.says(headers(5) + message(text, 5))
    assert client.quick == []
    assert client.sidecar.messages == ([] if text == b"raise" else [text])


LONG = b"say done " + bytes(150)
OF_LENGTH = block([*FIELDS, (b"content-length", b"3")])
# On streams from 5 on; the block is known then. Each is unusual in one way.
UNUSUAL: dict[str, tuple[bytes, ...]] = {
    "nothing": (headers(5) + message(b"say done", 5),),
    "the end of the stream": (headers(5) + message(b"say done", 5, end=True), message(b"more", 5)),
    "padding": (headers(5) + data(padded(framed(b"say done"), 3), 5, flags=frames.PADDED),),
    "the end in the headers": (headers(5, end=True) + message(b"say done", 5),),
    "a priority": (headers(5, of=bytes(4) + b"\x10" + block(FIELDS), flags=frames.WITH_PRIORITY) + message(LONG, 5),),
    "data of another stream": (headers(5) + message(b"say done", 7),),
    "a frame that is no data": (headers(5) + frames.frame(0xEE, 0, 5, framed(b"say done")), message(b"say done", 5)),
    "data in two reads": (headers(5) + message(b"say done", 5)[:-2], message(b"say done", 5)[-2:]),
    "a message in two frames": (headers(5) + data(framed(b"say done")[:8], 5), data(framed(b"say done")[8:], 5)),
    "two messages in a frame": (headers(5) + data(framed(b"say done") * 2, 5),),
    "no data": (headers(5) + data(b"", 5), message(b"say done", 5)),
    "more data behind": (headers(5) + message(LONG, 5), message(LONG[:120], 5)),
    "a stream that is over": (headers(3) + message(b"say done", 3),),
    "an even stream": (headers(6) + message(b"say done", 6),),
    "the reserved bit": (headers(5 | 1 << 31) + message(b"say done", 5 | 1 << 31),),
    "a last stream": (headers(2**31 - 1) + message(b"say done", 2**31 - 1),),
    "half the stream's window": (headers(5) + message(b"say done" + bytes(200), 5), rst(5)),
    "more than the stream's window": (headers(5) + message(b"say done" + bytes(500), 5),),
    "half the connection's window": tuple(headers(id) + message(LONG, id) + rst(id) for id in range(5, 805, 2)),
    "too many streams": (b"".join(map(headers, (5, 7, 9, 11))) + headers(13) + message(b"say done", 13),),
    "a content-length": (headers(5, of=OF_LENGTH), headers(7, of=OF_LENGTH) + message(b"say done", 7)),
    "streams that the peer does not end": (b"".join(headers(id) + message(LONG, id) for id in (5, 7, 9, 11, 13)),),
    "a window that is shut": (frames.settings({INITIAL_WINDOW_SIZE: 4}), headers(5) + message(b"say done", 5)),
    "a table that shrinks": (frames.settings({HEADER_TABLE_SIZE: 0}), headers(5) + message(b"say done", 5)),
    "a GOAWAY that was read": (frames.ping(b"draining", is_ack=True), headers(5) + message(b"say done", 5)),
}


@pytest.mark.parametrize("unusual", UNUSUAL)
def test_what_is_at_hand_is_answered_as_in_the_usual_way_whatever_is_unusual(unusual: str) -> None:
    told = []
    for is_quick in (False, True):
        client = Client(Limits(stream_window_bytes=400, connection_window_bytes=70_000, streams_max=4, lingering_max=3))
        client.service.at_once = client._at_once if is_quick else None
        client.opens(stream_id=1)
        client.opens(stream_id=3)
        client.says(rst(1), rst(3))
        if "GOAWAY" in unusual:
            client.calls.drain()
        client.says(*UNUSUAL[unusual])
        streams = client.connection.streams
        told.append((client.connection.output(), client.sidecar.messages, set(streams.live), set(streams.lingering)))
        assert bool(client.quick) == (is_quick and unusual in QUICK)
    assert told[0] == told[1]


QUICK = {
    *("nothing", "more data behind", "half the connection's window", "streams that the peer does not end"),
    *("a window that is shut", "a table that shrinks"),
}


def test_a_frame_that_is_too_long_is_refused_though_its_answer_is_at_hand() -> None:
    client = Client(is_quick=True)
    client.opens(stream_id=1)
    client.opens(stream_id=3)
    client.says(headers(5) + message(b"say done" + bytes(16_384), 5))
    assert client.quick == []
    assert client.connection.is_over
