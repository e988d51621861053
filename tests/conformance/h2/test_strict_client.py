"""The `h2` library, a second implementation that takes no liberties, as the client of random conversations.

It raises at whatever our side does wrong: states, windows, header blocks. Every answer must come out as it was given.
"""

import h2.config
import h2.connection
import h2.events
import h2.settings
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from extproc.h2.connection import Connection
from extproc.h2.events import ConnectionFailed, DataReceived, RequestReceived
from extproc.h2.limits import Limits
from tests.unit.extproc.h2.peer import FIELDS, HEAD, TRAILERS

SIZES = st.sampled_from([0, 1, 100, 1_000, 16_384, 16_385, 70_000])
# A window of a byte is legal, and a WINDOW_UPDATE for every byte of a long answer is a flood ("data dribble",
# CVE-2019-9511) that the server rightly ends: conversations with such windows keep to short bodies.
NARROW_WINDOWS = (0, 1)
NARROW_BODY_BYTES = 100


class Conversation(RuleBasedStateMachine):
    """Requests of any sizes, cut in any way; the server answers each with its own body, twice over."""

    streams = Bundle("streams")

    @initialize(
        table=st.sampled_from([0, 100, 4_096]),
        client_table=st.sampled_from([0, 4_096]),
        window=st.sampled_from([1, 65_535, 200_000]),
    )
    def connect(self, table: int, client_table: int, window: int) -> None:
        self.is_narrow = window in NARROW_WINDOWS
        self.server = Connection(Limits(header_table_bytes_max=table, stream_window_bytes=100_000))
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self.client = h2.connection.H2Connection(config)
        self.client.initiate_connection()
        self.client.update_settings(
            {
                h2.settings.SettingCodes.HEADER_TABLE_SIZE: client_table,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
            }
        )
        self.received: dict[int, bytes] = {}
        self.bodies: dict[int, bytes] = {}
        self.sent: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.exchange()

    @rule(target=streams, padding=st.sampled_from([None, b"x" * 300]))
    def opens(self, padding: bytes | None) -> int:
        stream_id = self.client.get_next_available_stream_id()
        fields = [*FIELDS, (b"x-large", padding)] if padding else FIELDS
        self.client.send_headers(stream_id, fields)
        self.sent[stream_id] = b""
        return stream_id

    @rule(stream_id=streams, size=SIZES, is_end=st.booleans(), pad=st.sampled_from([None, 0, 50]))
    def sends(self, stream_id: int, size: int, is_end: bool, pad: int | None) -> None:
        if stream_id in self.ended or stream_id in self.reset:
            return
        room = min(self.client.local_flow_control_window(stream_id) - 51, self.client.max_outbound_frame_size - 51)
        if room < 0:
            return
        if self.is_narrow:
            room = min(room, NARROW_BODY_BYTES - len(self.sent[stream_id]))
        body = bytes([stream_id % 251]) * min(size, room)
        self.client.send_data(stream_id, body, end_stream=is_end, pad_length=pad)
        self.sent[stream_id] += body
        if is_end:
            self.ended.add(stream_id)

    @rule(stream_id=streams)
    def resets(self, stream_id: int) -> None:
        if stream_id not in self.reset and stream_id not in self.received:
            self.exchange()
            if stream_id not in self.bodies or stream_id not in self.ended:
                self.client.reset_stream(stream_id)
                self.reset.add(stream_id)

    @rule()
    def pings(self) -> None:
        self.client.ping(b"12345678")

    @rule(window=st.sampled_from([0, 1, 65_535, 200_000]), table=st.sampled_from([0, 4_096]))
    def changes_its_settings(self, window: int, table: int) -> None:
        if window in NARROW_WINDOWS and not self.is_narrow:
            return
        self.client.update_settings(
            {
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
                h2.settings.SettingCodes.HEADER_TABLE_SIZE: table,
            }
        )

    @rule(cut=st.integers(min_value=1, max_value=40_000))
    def exchange(self, cut: int = 65_536) -> None:
        """Bytes go both ways until both are silent."""
        while sent := self.client.data_to_send():
            for start in range(0, len(sent), cut):
                for event in self.server.receive(sent[start : start + cut], 0.0):
                    self.serve(event)
            self.hear(self.server.output())

    def serve(self, event: object) -> None:
        assert not isinstance(event, ConnectionFailed), event
        if isinstance(event, RequestReceived):
            assert event.request.path == FIELDS[2][1]
            self.bodies[event.stream.id] = b""
        elif isinstance(event, DataReceived):
            stream_id = event.stream.id
            self.bodies[stream_id] += event.data
            if event.is_end:
                body = self.bodies[stream_id]
                assert body == self.sent[stream_id]
                self.server.send.answer(event.stream, HEAD, body * 2, TRAILERS)

    def hear(self, sent: bytes) -> None:
        for event in self.client.receive_data(sent):
            if isinstance(event, h2.events.ResponseReceived):
                self.received[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                self.received[event.stream_id] += event.data
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                assert event.headers == [(b"grpc-status", b"0")]
                assert self.received[event.stream_id] == self.sent[event.stream_id] * 2
            assert not isinstance(event, h2.events.ConnectionTerminated | h2.events.StreamReset), event

    @invariant()
    def nothing_more_comes_than_was_answered(self) -> None:
        for stream_id, body in getattr(self, "received", {}).items():
            assert (self.sent[stream_id] * 2).startswith(body)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
