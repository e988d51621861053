import pytest
from hyperframe.frame import Frame as OtherFrame
from hyperframe.frame import GoAwayFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from extproc.h2 import frames
from extproc.h2.errors import ConnectionFault, ErrorCode


def read(sent: bytes) -> OtherFrame:
    frame, length = OtherFrame.parse_frame_header(memoryview(sent[:9]))
    assert length == len(sent) - 9
    frame.parse_body(memoryview(sent[9:]))
    return frame


def test_our_frames_are_what_another_implementation_reads() -> None:
    settings = read(frames.settings({4: 1_000, 1: 0}))
    assert isinstance(settings, SettingsFrame)
    assert settings.settings == {4: 1_000, 1: 0}
    assert read(frames.SETTINGS_ACK).flags == {"ACK"}
    ping = read(frames.ping(b"12345678", is_ack=True))
    assert isinstance(ping, PingFrame)
    assert (ping.opaque_data, ping.flags) == (b"12345678", {"ACK"})
    goaway = read(frames.goaway(7, 11, b"why"))
    assert isinstance(goaway, GoAwayFrame)
    assert (goaway.last_stream_id, goaway.error_code, goaway.additional_data) == (7, 11, b"why")
    reset = read(frames.rst_stream(5, 8))
    assert isinstance(reset, RstStreamFrame)
    assert (reset.stream_id, reset.error_code) == (5, 8)
    widened = read(frames.window_update(3, 1_000))
    assert isinstance(widened, WindowUpdateFrame)
    assert (widened.stream_id, widened.window_increment) == (3, 1_000)


@pytest.mark.parametrize("length", [0, 255, 256, 65_535, 65_536, 16_777_215])
def test_the_length_has_24_bits(length: int) -> None:
    word, flags, stream_id = frames.unpack_head(frames.frame(frames.DATA, 5, 9, bytes(length)), 0)
    assert (word >> 8, word & 0xFF, flags, stream_id) == (length, frames.DATA, 5, 9)
    assert frames.prefix(frames.HEADERS, 4, length) == length.to_bytes(3, "big") + b"\x01\x04"


def test_padding_is_taken_off() -> None:
    assert frames.unpadded(b"\x02abc\0\0") == b"abc"
    assert frames.unpadded(b"\x00abc") == b"abc"
    assert frames.unpadded(b"\x00") == b""
    for payload, code in ((b"", ErrorCode.FRAME_SIZE_ERROR), (b"\x01", ErrorCode.PROTOCOL_ERROR)):
        with pytest.raises(ConnectionFault) as caught:
            frames.unpadded(payload)
        assert caught.value.code is code
