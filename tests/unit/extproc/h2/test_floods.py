"""What a peer may not do too often, on a whole connection (the numbers are those of `Limits`)."""

from collections.abc import Callable

import pytest

from extproc.h2 import frames
from extproc.h2.errors import ConnectionFault, ErrorCode
from extproc.h2.events import ConnectionFailed
from extproc.h2.floods import Flood, FloodGuard
from extproc.h2.limits import FLOOD_INTERVAL_S, Limits
from extproc.h2.peer_settings import HEADER_TABLE_SIZE
from tests.unit.extproc.h2.peer import Peer, block, data, headers, priority, rst

LIMITS = Limits(pings_max=5, settings_max=5, empty_data_max=5, premature_resets_max=5, idle_frames_max=5)


FLOODS: dict[str, Callable[[int], bytes]] = {
    "PING (CVE-2019-9512)": lambda _: frames.ping(bytes(8), is_ack=False),
    "PING acknowledged": lambda _: frames.ping(bytes(8), is_ack=True),
    "SETTINGS (CVE-2019-9515)": lambda n: frames.settings({HEADER_TABLE_SIZE: n}),
    "SETTINGS acknowledged": lambda _: frames.SETTINGS_ACK,
    "GOAWAY": lambda _: frames.goaway(0, 0),
    "empty DATA (CVE-2019-9518)": lambda _: data(b""),
    "DATA of padding": lambda _: data(b"\x08" + bytes(8), flags=frames.PADDED),
    "rapid reset (CVE-2023-44487)": lambda n: headers(2 * n + 3) + rst(2 * n + 3),
    "resets provoked (CVE-2025-8671)": lambda n: headers(2 * n + 3) + frames.window_update(2 * n + 3, 0),
    "malformed requests": lambda n: headers(2 * n + 3, of=block([])),
    "PRIORITY (CVE-2019-9513)": lambda _: priority(9),
    "WINDOW_UPDATE (CVE-2019-9517)": lambda _: frames.window_update(0, 1),
    "RST_STREAM of what is over": lambda n: headers(3) + rst(3) if n == 0 else rst(3),
    "unknown frames": lambda _: frames.frame(0xEE, 0, 0, b""),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_the_connection(flood: str) -> None:
    peer = Peer(LIMITS)
    peer.sends(headers())
    for n in range(4):
        assert not [event for event in peer.sends(FLOODS[flood](n)) if isinstance(event, ConnectionFailed)]
    peer.refused(ErrorCode.ENHANCE_YOUR_CALM, *[FLOODS[flood](n) for n in range(4, 8)])


@pytest.mark.parametrize("flood", FLOODS)
def test_the_same_over_a_longer_time_is_none(flood: str) -> None:
    peer = Peer(LIMITS)
    peer.sends(headers())
    for n in range(30):
        peer.now_s += FLOOD_INTERVAL_S / 4
        assert not [event for event in peer.sends(FLOODS[flood](n)) if isinstance(event, ConnectionFailed)]


def test_resets_after_the_answer_are_not_counted() -> None:
    """Envoy resets every stream that was answered: also those that it timed out, when both come in one read."""
    peer = Peer(LIMITS)
    for stream_id in range(1, 101, 2):
        peer.is_answered(stream_id)
        peer.sends(rst(stream_id))
    peer.is_alive()


def test_resets_of_a_stream_that_was_served_without_an_answer_are_not_counted() -> None:
    peer = Peer(LIMITS)
    for stream_id in range(1, 101, 2):
        peer.asks(stream_id).stream.is_served = True
        peer.sends(rst(stream_id))
    peer.is_alive()


def test_data_on_streams_that_we_reset_is_counted() -> None:
    peer = Peer(LIMITS)
    peer.connection.reset(peer.asks().stream, ErrorCode.CANCEL)
    peer.refused(ErrorCode.ENHANCE_YOUR_CALM, *[data()] * 6)


def test_each_thing_has_a_count_of_its_own() -> None:
    guard = FloodGuard(LIMITS)
    guard.refill(0.0)
    for flood in Flood:
        for _ in range(5):
            guard.count(flood)
        with pytest.raises(ConnectionFault, match=flood.name.lower()):
            guard.count(flood)


def test_continuations_are_bounded_in_number_and_length() -> None:
    """CVE-2024-27316."""
    start = frames.frame(frames.HEADERS, 0, 1, b"\x20")
    more = frames.frame(frames.CONTINUATION, 0, 1, b"")
    Peer().refused(ErrorCode.ENHANCE_YOUR_CALM, start, *[more] * 9)
    long = frames.frame(frames.CONTINUATION, 0, 1, bytes(16_384))
    Peer().refused(ErrorCode.ENHANCE_YOUR_CALM, start, long)
    Peer(Limits(header_block_bytes_max=10)).refused(ErrorCode.ENHANCE_YOUR_CALM, headers())
