"""A client that speaks in frames of its own making: what a real one would never send, and what Envoy was recorded to.

It keeps to the server's windows and reads header blocks with a table (the `hpack` library), and so fits any server.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hpack import Decoder

from extproc.h2 import frames
from extproc.h2.limits import WINDOW_BYTES_DEFAULT
from extproc.h2.peer_settings import INITIAL_WINDOW_SIZE

WAIT_S = 20.0


@dataclass
class Answer:
    """What came on one stream until the server ended it. `reset`: before it did."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    data: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_ended: bool = False
    reset: int | None = None

    @property
    def is_over(self) -> bool:
        return self.is_ended or self.reset is not None

    def summary(self) -> tuple[bytes, bytes, bytes, int | None]:
        """HTTP status, gRPC status, messages, reset: what a client acts on."""
        last = {**dict(self.headers), **dict(self.trailers)}
        return last.get(b":status", b""), last.get(b"grpc-status", b""), self.data, self.reset


class RawClient:
    """One connection. `async with` it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = Decoder()
        self._changed = asyncio.Event()
        self._stream_windows: dict[int, int] = defaultdict(int)
        self._initial_window = self._window = WINDOW_BYTES_DEFAULT
        self.answers: dict[int, Answer] = defaultdict(Answer)
        self.pongs: list[bytes] = []
        self.goaway: int | None = None
        self.is_closed = False

    async def __aenter__(self) -> "RawClient":
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._path))
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await asyncio.gather(self._reading, return_exceptions=True)

    def send(self, data: bytes) -> None:
        """Whatever it is."""
        self._writer.write(data)

    async def send_data(self, stream_id: int, frame: bytes, size: int) -> None:
        """A DATA frame, when the server has given way to it."""
        await self.until(lambda: self.room(stream_id) >= size, f"room for {size} bytes on stream {stream_id}")
        self._window -= size
        self._stream_windows[stream_id] -= size
        self.send(frame)

    def room(self, stream_id: int) -> int:
        return min(self._window, self._initial_window + self._stream_windows[stream_id])

    async def until(self, condition: object, what: str) -> None:
        """Waits for a condition, looking whenever something came."""
        assert callable(condition)
        deadline_s = asyncio.get_running_loop().time() + WAIT_S
        while not condition():
            left_s = deadline_s - asyncio.get_running_loop().time()
            assert left_s > 0, f"not within {WAIT_S} s: {what}; so far {dict(self.answers)}"
            assert not self.is_closed, f"closed before: {what}; so far {dict(self.answers)}, GOAWAY {self.goaway}"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                continue

    async def until_over(self, *stream_ids: int) -> None:
        for stream_id in stream_ids:
            await self.until(lambda each=stream_id: self.answers[each].is_over, f"the end of stream {stream_id}")

    async def ping(self, payload: bytes) -> None:
        """What was sent before it has been read when it is answered."""
        self.send(frames.ping(payload, is_ack=False))
        await self.until(lambda: payload in self.pongs, "the answer to a PING")

    async def _read(self) -> None:
        try:
            while True:
                word, flags, stream_id = frames.unpack_head(await self._reader.readexactly(9), 0)
                self._heard(word & 0xFF, flags, stream_id, await self._reader.readexactly(word >> 8))
                self._changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.is_closed = True
            self._changed.set()

    def _heard(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        answer = self.answers[stream_id] if stream_id else Answer()
        if kind == frames.HEADERS:
            fields = [(name, value) for name, value in self._decoder.decode(payload, raw=True)]
            (answer.trailers if answer.headers else answer.headers).extend(fields)
        elif kind == frames.DATA:
            answer.data += payload
        elif kind == frames.RST_STREAM and not answer.is_ended:
            answer.reset = frames.unpack_id(payload)[0]
        elif kind == frames.WINDOW_UPDATE:
            increment = frames.unpack_id(payload)[0]
            if stream_id:
                self._stream_windows[stream_id] += increment
            else:
                self._window += increment
        elif kind == frames.SETTINGS and not flags & frames.ACK:
            self._initial_window = dict(frames.parse_settings(payload)).get(INITIAL_WINDOW_SIZE, self._initial_window)
        elif kind == frames.PING and flags & frames.ACK:
            self.pongs.append(payload)
        elif kind == frames.PING:
            self.send(frames.ping(payload, is_ack=True))
        elif kind == frames.GOAWAY:
            self.goaway = frames.unpack_id(payload[4:8])[0]
        if kind in (frames.HEADERS, frames.DATA) and flags & frames.END_STREAM:
            answer.is_ended = True
