"""gRPC's framing of messages in DATA, and the text of a status.

Must hold: the messages and the fault are those of a parser that sees all bytes at once, however they are cut; what is
kept is what the budget says, no more than the budget or one read above it, and all of it is given back; framing and
parsing are inverse; a status message reads back, in printable ASCII.
"""

from functools import partial
from urllib.parse import unquote_to_bytes

from extproc.grpc_wire import status
from extproc.grpc_wire.framing import PREFIX_BYTES, Budget, Deframer, FramingError, framed, whole_message
from extproc.grpc_wire.status import Status, http_refusal, percent_encoded, trailers_only
from tests.fuzz.bites import Bites
from tests.fuzz.target import Target

_MESSAGE_BYTES_MAX = 100
_BUDGET = 150


def expected(data: bytes, *, is_identity: bool) -> tuple[list[bytes], Status | None, int]:
    """By the specification: messages, the fault that ends them, what is left over."""
    messages: list[bytes] = []
    while len(data) >= PREFIX_BYTES:
        flag, size = data[0], int.from_bytes(data[1:5], "big")
        if flag == 1 and not is_identity:
            return messages, Status.UNIMPLEMENTED, 0
        if flag:
            return messages, Status.INTERNAL, 0
        if size > _MESSAGE_BYTES_MAX:
            return messages, Status.RESOURCE_EXHAUSTED, 0
        if len(data) < PREFIX_BYTES + size:
            break
        messages.append(data[PREFIX_BYTES : PREFIX_BYTES + size])
        data = data[PREFIX_BYTES + size :]
    return messages, None, len(data)


def _pieces(data: bytes, size: int, step: int) -> list[bytes]:
    """Cut unevenly: the size of pieces grows by `step`."""
    pieces, start = [], 0
    while start < len(data):
        pieces.append(data[start : start + size])
        start += size
        size += step
    return pieces


def _deframe(data: bytes, size: int, step: int, *, is_identity: bool) -> None:
    budget = Budget(_BUDGET)
    deframer = Deframer(_MESSAGE_BYTES_MAX, budget, b"" if is_identity else b"gzip")
    got: list[bytes] = []
    fault = None
    for piece in _pieces(data, size, step):
        try:
            got += deframer.feed(piece)
        except FramingError as error:
            fault = error.status
            break
        assert budget.left == _BUDGET - len(deframer._kept)
        assert len(deframer._kept) < PREFIX_BYTES + _MESSAGE_BYTES_MAX
    messages, wanted, left = expected(data, is_identity=is_identity)
    assert fault == wanted
    if fault is None:
        assert got == messages
        assert deframer.is_between_messages == (left == 0)
    else:
        # Those of the read that holds the fault are lost with it: the call fails.
        assert got == messages[: len(got)]
    deframer.release()
    assert budget.left == _BUDGET, "what was kept is not given back"
    whole = whole_message(data)
    if whole is not None:
        assert data == framed(whole)
        assert len(whole) > _MESSAGE_BYTES_MAX or messages == [whole]


def _round_trip(data: bytes, size: int, step: int) -> None:
    bites, messages = Bites(data), []
    while bites.is_left:
        messages.append(bites.text()[:_MESSAGE_BYTES_MAX])
    sent = b"".join(map(framed, messages))
    deframer = Deframer(_MESSAGE_BYTES_MAX, Budget(len(sent)))
    got = [message for piece in _pieces(sent, size, step) for message in deframer.feed(piece)]
    assert got == messages
    assert deframer.is_between_messages
    assert len(messages) != 1 or whole_message(sent) == messages[0]


def _shared_budget(data: bytes) -> None:
    """Calls of one connection, interleaved: together they keep no more than the budget."""
    budget = Budget(_BUDGET)
    calls = [Deframer(_MESSAGE_BYTES_MAX, budget) for _ in range(3)]
    bites = Bites(data)
    while bites.is_left:
        which, piece = bites.number() % len(calls), bites.text()
        try:
            calls[which].feed(piece)
        except FramingError:
            calls[which].release()
            calls[which] = Deframer(_MESSAGE_BYTES_MAX, budget)
        kept = sum(len(call._kept) for call in calls)
        assert kept <= _BUDGET
        assert budget.left == _BUDGET - kept


def _status(data: bytes) -> None:
    message = data.decode("utf-8", "replace")
    text = percent_encoded(message)
    assert all(0x20 <= byte <= 0x7E for byte in text)
    assert unquote_to_bytes(text) == message.encode()[: status.MESSAGE_BYTES_MAX]
    assert trailers_only(Status.INTERNAL, message)[0] == (b":status", b"200")
    kind = data[1:]
    refusal = http_refusal((b"POST", b"GET", data[:4])[data[0] % 3 if data else 0], kind)
    assert refusal is None or refusal[0][1] in (b"405", b"415")
    assert refusal is not None or kind.lower().startswith(b"application/grpc") or kind.lstrip() != kind


def execute(data: bytes) -> None:
    if len(data) < 2:
        return
    mode, size, step = data[0], 1 + (data[1] & 31), data[1] >> 5 & 3
    if mode & 3 == 0:
        _round_trip(data[2:], size, step)
    elif mode & 3 == 1:
        _shared_budget(data[2:])
    elif mode & 3 == 2 and mode & 4:
        _status(data[2:])
    else:
        _deframe(data[2:], size, step, is_identity=mode & 8 == 0)


_SEEDS = [
    b"\x03\x02" + framed(b"abc") + framed(b"") + framed(b"x" * 40),
    b"\x03\x00" + framed(b"abc"),
    b"\x0b\x05" + b"\x01" + framed(b"abc")[1:],
    b"\x03\x25" + framed(bytes(101)),
    b"\x00\x03\x03abc\x00\x01x",
    b"\x01\x00\x00\x06\0\0\0\0\x0aa\x01\x06\0\0\0\0\x0ab\x02\x04\0\0\0\0",
    "\x06\x00ä % \n".encode(),
    b"\x06\x00\x00application/grpc+proto; a=b",
]
_LONG = [
    b"\x03\x00" + framed(bytes(90)) * 2_000,
    b"\x03\x1f" + framed(b"") * 30_000,
    b"\x00\x00" + b"\x01x" * 20_000,
    b"\x06\x00" + "ä".encode() * 100_000,
]
TARGETS = {"framing": Target(execute, _SEEDS, [partial(execute, each) for each in _LONG], bytes_max=200)}
