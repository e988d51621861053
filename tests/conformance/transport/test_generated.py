"""Conversations of any calls, to both transports: the same messages and status codes back, the same in the core.

Twice: by grpcio's own client, which keeps to gRPC, and in frames of the tests' making, cut and padded in any way.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.grpc_wire.framing import framed
from extproc.h2 import frames
from extproc.transport import port
from tests.conformance.transport.both import STORY_S, Both, Side
from tests.conformance.transport.drawn import CALLS, CONVERSATIONS, CUTS, DrawnCall
from tests.conformance.transport.raw_client import RawClient
from tests.unit.extproc.h2.peer import FIELDS, block, padded

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# A call that the server has no reason to end; the client leaves it.
LEFT = "left"


def ask(channel: grpc.Channel, call: DrawnCall) -> tuple[tuple[bytes, ...], object]:
    """Messages and status of one call. All but watches end: so what the core hears depends on nobody's haste."""
    is_watch = call.method == port.HEALTH_WATCH_METHOD
    leaves = threading.Event()

    def messages() -> Iterator[bytes]:
        yield from call.messages
        if is_watch and not call.ends:
            leaves.wait(STORY_S)

    stream = channel.stream_stream(call.method)(messages())
    answers = []
    try:
        if is_watch:
            answers += [next(stream)] if call.messages or call.ends else []
            leaves.set()
            stream.cancel()
            return tuple(answers), LEFT
        for answer in stream:
            answers.append(answer)
    except grpc.RpcError:
        pass  # told by the code
    return tuple(answers), stream.code()


def asked(side: Side, calls: Sequence[DrawnCall], *, at_once: bool) -> list[tuple[tuple[bytes, ...], object]]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"unix:{side.socket}", options=options) as channel:
        if not at_once:
            return [ask(channel, call) for call in calls]
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(lambda call: ask(channel, call), calls))


@SETTINGS
@given(calls=CONVERSATIONS, at_once=st.booleans())
def test_grpcs_own_client_hears_the_same(pair: Both, calls: list[DrawnCall], at_once: bool) -> None:
    async def story(side: Side) -> list[tuple[tuple[bytes, ...], object]]:
        return await asyncio.to_thread(lambda: asked(side, calls, at_once=at_once))

    pair.agreed(story)


def head(call: DrawnCall, stream_id: int) -> bytes:
    fields = [(name, call.method.encode() if name == b":path" else value) for name, value in FIELDS]
    return frames.frame(frames.HEADERS, frames.END_HEADERS, stream_id, block(fields))


def data_frames(call: DrawnCall, stream_id: int, cuts: Sequence[int], pad: int) -> Iterator[bytes]:
    """Its messages, in frames that end where `cuts` say and not where messages do."""
    wire = b"".join(map(framed, call.messages))
    sizes = iter(cuts)
    while wire:
        size = next(sizes, len(wire))
        piece, wire = wire[:size], wire[size:]
        if pad:
            yield frames.frame(frames.DATA, frames.PADDED, stream_id, padded(piece, pad))
        else:
            yield frames.frame(frames.DATA, 0, stream_id, piece)


@SETTINGS
@given(calls=st.lists(CALLS, min_size=1, max_size=5), cuts=CUTS, pad=st.sampled_from([0, 0, 1, 200]))
def test_frames_of_any_cut_are_answered_the_same(pair: Both, calls: list[DrawnCall], cuts: list[int], pad: int) -> None:
    async def story(side: Side) -> list[tuple[object, ...]]:
        async with RawClient(side.socket) as client:
            client.send(frames.PREFACE + frames.settings({}) + frames.SETTINGS_ACK)
            for stream_id, call in numbered(calls):
                client.send(head(call, stream_id))
                # grpcio resets streams with padded DATA, against RFC 9113 6.1: it hears the same without padding.
                for frame in data_frames(call, stream_id, cuts, pad if side.name == "own" else 0):
                    client.send(frame)
                client.send(frames.frame(frames.DATA, frames.END_STREAM, stream_id))
            await client.until_over(
                *(stream_id for stream_id, call in numbered(calls) if call.method != port.HEALTH_WATCH_METHOD)
            )
            for stream_id, call in numbered(calls):
                if call.method == port.HEALTH_WATCH_METHOD:
                    await client.until(lambda each=stream_id: client.answers[each].data, "the first word of a watch")
            return [client.answers[stream_id].summary() for stream_id, _ in numbered(calls)]

    pair.agreed(story)


def numbered(calls: Sequence[DrawnCall]) -> Iterator[tuple[int, DrawnCall]]:
    return zip(range(1, 2 * len(calls), 2), calls, strict=True)
