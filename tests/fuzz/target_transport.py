"""The whole core of a connection: HTTP/2, calls, and the sidecar's handlers behind them, driven by a client's bytes.

Must hold, beside what `target_h2` checks of the connection: no handler's exception reaches the transport; a stream that
ended has no call; every call that was opened is closed when the connection is; no byte of an unfinished message is kept
behind the end; each ext_proc session is closed once.

The first byte: 6 in pieces too, 7 frames as they are, 4 the process drains before the last third. The second: the size
of the pieces.
"""

from collections.abc import Callable

from extproc.h2 import frames
from extproc.h2.connection import Connection
from extproc.outcome.observation import Observation
from extproc.processing.session import ProcessSession, Reply
from extproc.processing.tagging import Tagging
from extproc.telemetry.catalogue import Catalogue
from extproc.transport.own.call import UNFINISHED_BYTES_MAX, Service
from extproc.transport.own.calls import Calls
from tests.fuzz import policies, target_processing
from tests.fuzz.h2_conversation import frames_of
from tests.fuzz.target import Target
from tests.fuzz.target_h2 import PIECES_MAX, SMALL, check_bounds, check_sent

_GREETING = frames.PREFACE + frames.settings({1: 0}) + frames.SETTINGS_ACK
_POLICIES = policies.holder()
_CATALOGUE = Catalogue()
_CLOCK = target_processing.Clock()


class _Session:
    """A real one, which counts how often it is closed."""

    def __init__(self, on_close: Callable[[], None]) -> None:
        self._session = ProcessSession(_POLICIES, _CATALOGUE.requests, self._observed, _CLOCK)
        self._on_close = on_close
        self.closed = 0

    def _observed(self, _request_id: str, _observation: Observation) -> None:
        assert not self.closed

    def receive(self, message: bytes) -> Reply:
        assert not self.closed, "a message behind the end"
        return self._session.receive(message)

    def close(self) -> None:
        self._session.close()
        self.closed += 1
        self._on_close()


class _Handlers:
    """The sidecar; log messages are counted."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.logged: list[bytes] = []

    def open_process(self) -> _Session:
        self.opened += 1
        return _Session(self._closed)

    def _closed(self) -> None:
        self.closed += 1

    def access_logs(self, message: bytes) -> None:
        self.logged.append(message)


def _served(data: bytes, size: int, drain_at: int) -> tuple[bytes, list[bytes], Connection]:
    """What was sent and logged, with `data` in pieces of `size`."""
    connection, handlers = Connection(SMALL), _Handlers()
    tagging = Tagging(_POLICIES, _CATALOGUE.requests, _CLOCK)
    service = Service(handlers, _CATALOGUE.processing, lambda: 0.0, tagging.at_once)
    calls = Calls(connection, service)
    sent = []
    for start in range(0, len(data), size):
        if drain_at and start >= drain_at and not service.is_draining:
            service.is_draining, service.is_serving = True, False
            calls.drain()
        for event in connection.receive(data[start : start + size], 0.0):
            calls.handle(event)
        sent.append(connection.output())
        assert calls.budget.left <= UNFINISHED_BYTES_MAX
        if connection.is_over:
            break
    check_bounds(connection, SMALL)
    calls.close()
    assert calls.budget.left == UNFINISHED_BYTES_MAX, "bytes of a message are kept behind the end"
    assert handlers.opened == handlers.closed, "a session was not closed once"
    sent.append(connection.output())
    return b"".join(sent), handlers.logged, connection


def execute(data: bytes) -> None:
    policy = data[0] if data else 0
    size = 1 + data[1] if len(data) > 1 else 1
    client = _GREETING + (data[2:] if policy & 0x80 else frames_of(data, 2))
    drains = policy & 0x10 != 0
    step = max(1, len(client) // 3) if drains else len(client)
    sent, logged, _ = _served(client, step, 2 * step if drains else 0)
    check_sent(sent)
    if policy & 0x40 and not drains:
        in_pieces, logged_in_pieces, _ = _served(client, max(size, len(client) // PIECES_MAX), 0)
        assert in_pieces == sent, "the output depends on how the bytes are cut"
        assert logged_in_pieces == logged
    assert len(_CATALOGUE.requests.values) <= 8


def _of(policy: int, *sent: int | bytes) -> bytes:
    return bytes([policy, 7]) + b"".join(each if isinstance(each, bytes) else bytes([each]) for each in sent)


def _message(stream_id: int, message: bytes, *, flags: int = 0) -> bytes:
    return bytes([stream_id << 4 | 0x0B, flags, len(message)]) + message


_REQUEST, *_RESPONSE = (message[:255] for message in target_processing.messages_of(target_processing.STREAM))
_SEEDS = [
    _of(0x40, 0x1A, 0, 0, _message(1, _REQUEST), 0x13, 0, 4, bytes(4)),
    _of(0x40, 0x1A, 0, 0, *[_message(1, each) for each in _RESPONSE], 0x10, 1, 0),
    _of(0x50, 0x1A, 0, 1, _message(1, b"\x12\x00"), 0x3A, 0, 3, 0x5A, 1, 2, _message(1, b"\x12\x00"), 0x0E),
    _of(0x40, 0x1A, 0, 0, 0x10, 0, 7, b"\0\0\0\0\x09ab", 0x10, 1, 7, b"cdefghi"),
    _of(0x00, 0x1A, 1, 7, 0x3A, 1, 6, 0x5A, 0, 4, _message(5, b"a")),
    _of(0x40, 0x1A, 0, 0, 0x04, 0, 6, b"\0\x04\0\0\0\x05", _message(1, _REQUEST), 0x18, 0, 4, b"\0\0\0\x7f"),
]
TARGETS = {"transport": Target(execute, _SEEDS, bytes_max=512)}
