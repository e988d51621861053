"""What a real Envoy 1.40 sent to its sidecar, played back to both transports: the same answers, the same outcomes.

Recorded (by the byte, from the client's end of every connection) while 26 requests went through the path: users, a
pinned cohort, no key, an empty key, a key of other bytes, a POST, a streamed response that is observed; with health
checks and access logs. Envoy had two workers, so each of its clusters had a connection for each.

Envoy's frames depend on ours in two ways, which playing back must keep: it sends DATA within our windows, and it ends an
answered stream by RST_STREAM when it has read the answer.
"""

import lzma
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hpack import Decoder

from extproc.grpc_wire.framing import Budget, Deframer
from extproc.h2 import frames
from extproc.transport import port
from serinus.envoywire import ext_proc_pb2
from tests.conformance.transport.both import Both, Side
from tests.conformance.transport.raw_client import RawClient
from tests.unit.extproc.transport.sidecar import eventually

RECORDED = Path(__file__).parents[2] / "golden" / "envoy_connections"
CONNECTIONS = sorted(path.stem for path in RECORDED.glob("*.xz"))
OK = b"0"


@dataclass(frozen=True)
class Recorded:
    kind: int
    stream_id: int
    size: int
    wire: bytes


def recorded(name: str) -> bytes:
    return lzma.decompress((RECORDED / f"{name}.xz").read_bytes())


def frames_of(sent: bytes) -> Iterator[Recorded]:
    position = len(frames.PREFACE)
    assert sent[:position] == frames.PREFACE
    while position < len(sent):
        word, _flags, stream_id = frames.unpack_head(sent, position)
        end = position + 9 + (word >> 8)
        yield Recorded(word & 0xFF, stream_id, word >> 8, sent[position:end])
        position = end


def methods_of(sent: bytes) -> dict[int, str]:
    """The method of every stream."""
    decoder = Decoder()
    return {
        each.stream_id: dict(decoder.decode(each.wire[9:]))[":path"]
        for each in frames_of(sent)
        if each.kind == frames.HEADERS
    }


def asked(sent: bytes, of_method: str = port.PROCESS_METHOD) -> Iterator[bytes]:
    """The messages of all streams of one method."""
    data: dict[int, bytes] = defaultdict(bytes)
    for each in frames_of(sent):
        if each.kind == frames.DATA:
            data[each.stream_id] += each.wire[9:]
    for stream_id, method in methods_of(sent).items():
        if method == of_method:
            yield from Deframer(1_000_000, Budget(1_000_000)).feed(data[stream_id])


async def play(side: Side, sent: bytes) -> dict[int, tuple[object, ...]]:
    """Every stream's answer. Streams without one are those of access logs: they were ended to hand over, after all
    that the test plays back."""
    logs = {stream_id for stream_id, method in methods_of(sent).items() if method == port.ACCESS_LOGS_METHOD}
    to_log = len(list(asked(sent, port.ACCESS_LOGS_METHOD)))
    async with RawClient(side.socket) as client:
        client.send(frames.PREFACE)
        for each in frames_of(sent):
            if each.kind == frames.DATA:
                await client.send_data(each.stream_id, each.wire, each.size)
                continue
            if each.kind == frames.RST_STREAM and each.stream_id in logs:
                continue
            if each.kind == frames.RST_STREAM:
                await client.until_over(each.stream_id)
            client.send(each.wire)
        await client.until_over(*methods_of(sent).keys() - logs)
        await eventually(lambda: side.core.log_messages == to_log)
        assert client.goaway is None
        return {stream_id: client.answers[stream_id].summary() for stream_id in methods_of(sent)}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_envoys_connection_is_answered_alike(pair: Both, name: str) -> None:
    sent = recorded(name)
    answers = pair.agreed(lambda side: play(side, sent))
    methods = methods_of(sent)
    for stream_id, (status, grpc_status, data, reset) in answers.items():
        if methods[stream_id] == port.ACCESS_LOGS_METHOD:
            assert (status, grpc_status, data, reset) == (b"", b"", b"", None)
        else:
            assert (status, grpc_status, reset) == (b"200", OK, None)


def test_the_recording_holds_all_that_envoy_does() -> None:
    methods = [method for name in CONNECTIONS for method in methods_of(recorded(name)).values()]
    assert set(methods) == {port.PROCESS_METHOD, port.ACCESS_LOGS_METHOD, port.HEALTH_CHECK_METHOD}
    assert methods.count(port.ACCESS_LOGS_METHOD) == 2
    messages = [
        ext_proc_pb2.ProcessingRequest.FromString(each) for name in CONNECTIONS for each in asked(recorded(name))
    ]
    assert sum(message.HasField("request_headers") for message in messages) == 26
    assert sum(message.HasField("response_body") for message in messages) >= 4
