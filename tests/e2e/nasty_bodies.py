"""Bodies that are hard on whoever looks at them, what each must be called, and a server that sends them byte by byte as
they stand here: HTTP/1.1 by hand, since no server would send most of them by itself.
"""

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import brotli

from serinus.contract.outcome import OutcomeClass as O

SSE, JSON = "text/event-stream", "application/json"
_random = Random(11)


def chunk(text: str = "", finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def stream(*documents: str, end: bytes = b"\n\n") -> bytes:
    return b"".join(b"data: " + document.encode() + end for document in (*documents, "[DONE]"))


def coded(body: bytes, coding: str) -> bytes:
    return {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}[coding](body)


GOOD = stream(chunk("Red, "), chunk("vert é 绿"), chunk(finish="stop"))
USAGE = {"prompt_tokens": 1, "total_tokens": 1}


@dataclass(frozen=True)
class Case:
    """`step`: how many bytes each piece has. `is_cut`: the connection ends before the body does. `plain`: no chunked
    coding, but a length."""

    name: str
    expected: O
    body: bytes
    content_type: str = SSE
    coding: str = ""
    status: int = 200
    step: int = 1 << 20
    is_cut: bool = False
    plain: bool = False

    def pieces(self) -> Iterator[bytes]:
        coding = f"content-encoding: {self.coding}\r\n" if self.coding else ""
        size = f"content-length: {len(self.body)}" if self.plain else "transfer-encoding: chunked"
        head = f"HTTP/1.1 {self.status} X\r\ncontent-type: {self.content_type}\r\n{coding}{size}\r\nconnection: close\r\n\r\n"
        yield head.encode()
        for at in range(0, len(self.body), self.step):
            piece = self.body[at : at + self.step]
            yield piece if self.plain else b"%x\r\n%b\r\n" % (len(piece), piece)
        if not self.plain and not self.is_cut:
            yield b"0\r\n\r\n"


def whole(value: object) -> bytes:
    return json.dumps(value).encode()


CASES = (
    Case("byte by byte", O.OK, GOOD, step=1),
    Case("in one piece", O.OK, GOOD),
    Case("CRLF", O.OK, GOOD.replace(b"\n", b"\r\n"), step=3),
    Case("CR", O.OK, GOOD.replace(b"\n", b"\r"), step=3),
    Case(
        "comments, ids, several lines of data",
        O.OK,
        b": hi\n\nid: 1\nretry: 5\n" + GOOD.replace(b'"index"', b'\ndata: "index"'),
    ),
    Case("invalid UTF-8", O.OK, b"data: \xff\xfe\x80\n\n" + GOOD),
    Case("a line of 10 MB", O.OK, b"data: " + b"x" * 10_000_000 + b"\n\n" + GOOD),
    *(Case(coding, O.OK, coded(GOOD, coding), coding=coding, step=5) for coding in ("gzip", "deflate", "br")),
    Case("gzip that is none", O.OK, GOOD, coding="gzip"),
    Case("a coding that is not read", O.OK, _random.randbytes(300_000), coding="zstd"),
    Case("bytes of no form", O.OK, _random.randbytes(300_000), "application/octet-stream", plain=True),
    Case(
        "1 MB at once",
        O.OK,
        whole({"choices": [{"message": {"content": "a" * 1_000_000}, "finish_reason": "stop"}]}),
        JSON,
    ),
    Case("no finish", O.TRUNCATED, stream(chunk("Red, "))),
    Case("br without a finish", O.TRUNCATED, coded(stream(chunk("Red, ")), "br"), coding="br"),
    Case("nothing said", O.EMPTY, stream(chunk(finish="stop"))),
    Case("nothing at all", O.TRUNCATED, b""),
    Case("an error in the stream", O.IN_STREAM_ERROR, stream(chunk("Red, "), '{"error": {"message": "boom"}}')),
    Case("an event of type error", O.IN_STREAM_ERROR, b"event: error\ndata: boom\n\n" + GOOD),
    Case("the server dies", O.UPSTREAM_RESET, GOOD[:60], is_cut=True),
    Case(
        "a response that failed",
        O.IN_STREAM_ERROR,
        whole({"object": "response", "status": "failed", "error": {"code": "x"}}),
        JSON,
    ),
    Case(
        "embeddings",
        O.OK,
        whole({"object": "list", "data": [{"object": "embedding", "embedding": [0.5]}], "usage": USAGE}),
        JSON,
    ),
    Case("no embeddings", O.EMPTY, whole({"object": "list", "data": [], "usage": USAGE}), JSON),
    Case("an inference", O.OK, whole({"model_name": "m", "outputs": [{"name": "o", "data": [1]}]}), JSON, plain=True),
    Case("an inference that failed", O.IN_STREAM_ERROR, whole({"error": "no such model"}), JSON, plain=True),
    Case(
        "a prompt too long", O.CONTEXT_TOO_LONG, whole({"error": {"code": "context_length_exceeded"}}), JSON, status=400
    ),
    Case("a bad request", O.CLIENT_ERROR, whole({"error": {"message": "no"}}), JSON, status=400),
    Case("too much", O.OVERLOADED, whole({"error": {"message": "later"}}), JSON, status=429),
)


async def serve(stack: contextlib.AsyncExitStack, pause_s: float = 0.0) -> int:
    """Answers a request for `/N` with case N, and closes. `pause_s` after each piece. Returns the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1]
        if path == b"/health":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            # The body of these requests is two bytes, whatever it is.
            await reader.readexactly(2)
            for piece in CASES[int(path[1:])].pieces():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    stack.callback(server.close)
    port: int = server.sockets[0].getsockname()[1]
    return port
