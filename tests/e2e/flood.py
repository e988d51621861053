"""As many tag requests at once as a sidecar's socket takes: whole gRPC calls in blobs, over many connections."""

import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from extproc.grpc_wire.framing import framed
from extproc.h2 import frames
from extproc.processing.codec import CONTINUE
from tests.unit.extproc.h2.peer import FIELDS, block

# SETTINGS_INITIAL_WINDOW_SIZE, so that answers never wait for us.
_GREETING = (
    frames.PREFACE + frames.settings({4: 2**31 - 1}) + frames.window_update(0, 2**31 - 1 - 65_535) + frames.SETTINGS_ACK
)
_HEAD = struct.Struct(">LBL")
# A little under what a connection may have at once.
AT_ONCE = 1_000
PATIENCE_S = 60.0
SHED, TAGGED = "shed", "tagged"


class FloodConnection:
    """One connection that opens `AT_ONCE` streams at once and reads until every one is answered."""

    def __init__(self, path: Path, message: bytes) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))
        self._socket.sendall(_GREETING)
        self._next_id = 1
        self._fields = block(FIELDS)
        self._data = framed(message)
        self._rest = b""
        self.answers: Counter[str] = Counter()
        self.slowest_s = 0.0

    def burst(self, count: int = AT_ONCE) -> None:
        """Asks, and returns when all is answered."""
        ids = range(self._next_id, self._next_id + 2 * count, 2)
        self._next_id += 2 * count
        blob = b"".join(
            frames.frame(frames.HEADERS, frames.END_HEADERS, stream_id, self._fields)
            + frames.frame(frames.DATA, frames.END_STREAM, stream_id, self._data)
            for stream_id in ids
        )
        began_s = time.monotonic()
        self._socket.sendall(blob)
        ended = 0
        while ended < count:
            piece = self._socket.recv(1 << 20)
            assert piece, "the sidecar closed the connection"
            ended += self._read(piece)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)

    def _read(self, piece: bytes) -> int:
        """How many calls have ended."""
        data, position, ended = self._rest + piece, 0, 0
        while len(data) - position >= frames.HEAD_BYTES:
            word, flags, _ = _HEAD.unpack_from(data, position)
            end = position + frames.HEAD_BYTES + (word >> 8)
            if end > len(data):
                break
            kind = word & 0xFF
            if kind == frames.DATA:
                self.answers[SHED if data[position + 9 + 5 : end] == CONTINUE else TAGGED] += 1
            elif kind == frames.HEADERS and flags & frames.END_STREAM:
                ended += 1
            assert kind not in {frames.GOAWAY, frames.RST_STREAM}
            position = end
        self._rest = data[position:]
        return ended

    def close(self) -> None:
        self._socket.close()


def flood(path: Path, message: bytes, *, connections: int, bursts: int) -> tuple[Counter[str], float]:
    """Every connection bursts that often, all at once. The answers by kind, and the seconds of the slowest burst."""
    each = [FloodConnection(path, message) for _ in range(connections)]
    try:
        with ThreadPoolExecutor(connections) as threads:
            for running in [threads.submit(lambda one: [one.burst() for _ in range(bursts)], one) for one in each]:
                running.result()
        return sum((one.answers for one in each), Counter()), max(one.slowest_s for one in each)
    finally:
        for one in each:
            one.close()
