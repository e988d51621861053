"""Every bound of a connection, each with its reason. A peer that passes one is told so and let go; nothing waits.

Bounds that a peer is told of by SETTINGS are marked with the setting. Counts of floods are per `FLOOD_INTERVAL_S`: they
are some tens of times above what any honest client was seen to send, and still cost a core less than one part in ten.
"""

from dataclasses import dataclass

# RFC 9113 4.2: the smallest permitted. A larger one would let one stream hold the others up for longer, and a frame is
# only looked at when it is complete, so this also bounds what one connection keeps of an unfinished frame.
FRAME_BYTES_MAX = 16_384
# RFC 9113 6.9.1: a window never passes this.
WINDOW_BYTES_MAX = 2**31 - 1
# RFC 9113 6.9.2: what both sides start from.
WINDOW_BYTES_DEFAULT = 65_535
# RFC 7541: what both sides start from (SETTINGS_HEADER_TABLE_SIZE).
HEADER_TABLE_BYTES_DEFAULT = 4_096
STREAM_ID_MAX = 2**31 - 1
# A peer that comes this near to the last stream identifier is told to open a new connection, gracefully. Two million
# streams are minutes even at ten thousand a second: far more than an answer to GOAWAY takes.
STREAM_ID_DRAIN = STREAM_ID_MAX - 4_000_000
FLOOD_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one connection. The defaults are those of the product; tests and h2spec set others."""

    # SETTINGS_MAX_CONCURRENT_STREAMS. Envoy opens another connection when it is reached (its own default is 1,024 too).
    streams_max: int = 1_024
    # Streams that were answered and that the peer has not ended yet. Envoy ends each within one round trip.
    lingering_max: int = 1_024
    # Which streams were closed lately, and how: tells a late frame from a broken rule.
    closed_remembered_max: int = 1_024
    # SETTINGS_HEADER_TABLE_SIZE: without a table equal header blocks are equal bytes, and are decoded once.
    header_table_bytes_max: int = 0
    # SETTINGS_MAX_HEADER_LIST_SIZE. Envoy's call headers are 300-600 bytes; a request's 60 KB of headers come as DATA.
    header_list_bytes_max: int = 16_384
    # A block that is longer than the list it may hold is no honest one (each field counts 32 bytes more than its text).
    header_block_bytes_max: int = 16_384
    # A block of 16 KiB fits one frame and, padded, two; h2spec sends three small ones.
    continuations_max: int = 8
    # Blocks of Envoy's that are worth keeping: one a service and method, some with a deadline of their own.
    cached_blocks_max: int = 64
    cached_block_bytes_max: int = 2_048
    # SETTINGS_INITIAL_WINDOW_SIZE: an access-log message starts with a node of 62 KB, a body piece is up to 1 MiB.
    stream_window_bytes: int = 1_048_576
    # The window of the connection. Input is worked off before the next read, so it bounds no memory but a peer's haste.
    connection_window_bytes: int = 16_777_216
    # What waits for the peer's windows. Beyond it streams are reset: an answer that nobody reads is not kept for long.
    queued_bytes_max: int = 4_194_304
    # gRPC's clients probe the bandwidth with at most some PINGs a second; Envoy's keepalive is one in seconds.
    pings_max: int = 5_000
    # Honest peers send one, and another when they are reconfigured.
    settings_max: int = 100
    # DATA frames without data that end nothing, HEADERS that only end. No client has a use for the first.
    empty_data_max: int = 1_000
    # Streams that the peer reset before they were answered, or that broke a rule and were reset. Requests that clients
    # abort are reset after their answer, which comes within the same read.
    premature_resets_max: int = 2_000
    # PRIORITY, WINDOW_UPDATE and frames of unknown types. Envoy sends a WINDOW_UPDATE per half a window.
    idle_frames_max: int = 50_000


DEFAULT = Limits()
