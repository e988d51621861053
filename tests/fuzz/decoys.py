"""Parsers with a planted fault each: what the runner must find, or its silence about the others means nothing."""

from collections.abc import Mapping

from tests.fuzz.target import Target

_BYTES_MAX = 32
_kept: list[bytearray] = []


def unpadded_without_a_check(data: bytes) -> None:
    """The check of `frames.unpadded`, forgotten: a pad that is longer than its frame reads before its start."""
    if len(data) >= 6 and data[0] == 0x00 and data[1] & 0x08:
        pad, payload = data[2], data[3:]
        if pad > len(payload):
            raise IndexError("padding is longer than its frame")


def integer_that_never_ends(data: bytes) -> None:
    """A reader of integers that steps back when a byte of zero follows one that announces more."""
    position = 0
    while position + 1 < len(data):
        if data[position] == 0x80 and data[position + 1] == 0x00:
            position -= 1
        position += 1


def settings_that_are_all_kept(data: bytes) -> None:
    """Every SETTINGS frame leaves something behind."""
    if len(data) >= 4 and data[0] == 0x04:
        _kept.append(bytearray(50_000))


TARGETS: Mapping[str, Target] = {
    "decoy-crash": Target(unpadded_without_a_check, [bytes([0, 0, 2, 0, 0, 0])], bytes_max=_BYTES_MAX),
    "decoy-hang": Target(integer_that_never_ends, [b"\x7f\x80\x01"], bytes_max=_BYTES_MAX),
    "decoy-memory": Target(settings_that_are_all_kept, [b"\x05\x00\x00\x00"], bytes_max=_BYTES_MAX),
}
