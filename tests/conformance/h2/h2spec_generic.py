"""h2spec's section "generic": what a server must accept."""

from extproc.h2 import frames, huffman
from tests.conformance.h2.h2spec_words import (
    END,
    FORM,
    HALF_CLOSED,
    POSTED,
    PSEUDO,
    Case,
    alive,
    answered,
    ask,
    body,
    echoed,
    get,
    open_block,
    piece,
    ping,
    post,
)
from tests.unit.extproc.h2.peer import WHOLE, block, padded, priority, rst

_ON_ITSELF_NOT = bytes(4)


def _priority(dependency: int, weight: int, *, is_exclusive: bool = False) -> bytes:
    word = dependency | (0x8000_0000 if is_exclusive else 0)
    return frames.frame(frames.PRIORITY, 0, 1, word.to_bytes(4, "big") + bytes([weight - 1]))


def _literal(first: int, name: bytes | int, value: bytes, *, is_coded: bool) -> bytes:
    """A literal field of the form `first` (RFC 7541 6.2), its name new or an index of the static table."""

    def string(text: bytes) -> bytes:
        coded = huffman.encode(text)
        return bytes([0x80 | len(coded)]) + coded if is_coded else bytes([len(text)]) + text

    if isinstance(name, bytes):
        return bytes([first]) + string(name) + string(value)
    prefix_max = 0x3F if first == 0x40 else 0x0F
    head = bytes([first | name]) if name < prefix_max else bytes([first | prefix_max, name - prefix_max])
    return head + string(value)


_USER_AGENT = 58


def _field(title: str, first: int, name: bytes | int, *, is_coded: bool) -> Case:
    return Case(title, (get(more=_literal(first, name, b"h2spec", is_coded=is_coded)),), answered())


STARTING = {
    "1/1": Case("client connection preface", (ping(),), echoed(b"h2spec!!")),
    "2/1": Case("PRIORITY on an idle stream", (priority(1), get()), answered()),
    "2/2": Case("WINDOW_UPDATE on a half-closed stream", (*HALF_CLOSED, frames.window_update(1, 99)), answered()),
    "2/3": Case(
        "PRIORITY on a half-closed stream", (*HALF_CLOSED, priority(1), frames.window_update(1, 99)), answered()
    ),
    "2/4": Case("RST_STREAM on a half-closed stream", (*HALF_CLOSED, rst()), alive),
    "2/5": Case("PRIORITY on a closed stream", (get(), priority(1), get(3)), answered(3)),
}

FRAMES = {
    "3.1/1": Case("DATA", (post(), body()), answered()),
    "3.1/2": Case("several DATA", (post(), body(end=False), body(end=False), body()), answered()),
    "3.1/3": Case("DATA with padding", (post(), body(padded(b"test", 6), flags=frames.PADDED)), answered()),
    "3.2/1": Case("HEADERS", (get(),), answered()),
    "3.2/2": Case(
        "HEADERS with padding",
        (frames.frame(frames.HEADERS, END | WHOLE | frames.PADDED, 1, padded(FORM, 6)),),
        answered(),
    ),
    "3.2/3": Case(
        "HEADERS with priority",
        (frames.frame(frames.HEADERS, END | WHOLE | frames.WITH_PRIORITY, 1, _ON_ITSELF_NOT + b"\xff" + FORM),),
        answered(),
    ),
    "3.3/1": Case("PRIORITY of weight 1", (_priority(0, 1), get()), answered()),
    "3.3/2": Case("PRIORITY of weight 256", (_priority(0, 256), get()), answered()),
    "3.3/3": Case("PRIORITY with a dependency", (_priority(3, 256), get()), answered()),
    "3.3/4": Case("exclusive PRIORITY", (_priority(3, 256, is_exclusive=True), get()), answered()),
    "3.3/5": Case("PRIORITY on an idle stream, then a lower one", (priority(5), get(3)), answered(3)),
    "3.4/1": Case("RST_STREAM", (post(), rst()), alive),
    "3.5/1": Case("SETTINGS", (frames.settings({3: 100}), get()), answered()),
    "3.7/1": Case("PING", (ping(),), echoed(b"h2spec!!")),
    "3.8/1": Case("GOAWAY", (frames.goaway(0, 0), get()), answered()),
    "3.9/1": Case("WINDOW_UPDATE on stream 0", (frames.window_update(0, 1), get()), answered()),
    "3.9/2": Case("WINDOW_UPDATE on stream 1", (post(), frames.window_update(1, 1), body()), answered()),
    "3.10/1": Case("CONTINUATION", (open_block(FORM[:3]), piece(FORM[3:])), answered()),
    "3.10/2": Case(
        "several CONTINUATION", (open_block(FORM[:3]), piece(FORM[3:5], end=False), piece(FORM[5:])), answered()
    ),
}

MESSAGES = {
    "4/1": Case("GET", (get(),), answered()),
    "4/2": Case("HEAD", (ask([(b":method", b"HEAD"), *PSEUDO[1:]]),), answered()),
    "4/3": Case("POST", (post(), body()), answered()),
    "4/4": Case(
        "POST with trailers",
        (
            post(fields=[*POSTED, (b"trailer", b"x-test")]),
            body(end=False),
            frames.frame(frames.HEADERS, END | WHOLE, 1, block([(b"x-test", b"ok")])),
        ),
        answered(),
    ),
}

HPACK = {
    "5/1": Case("indexed field", (get(more=b"\x90"),), answered()),
    "5/2": _field("with indexing, indexed name", 0x40, _USER_AGENT, is_coded=False),
    "5/3": _field("with indexing, indexed name, Huffman", 0x40, _USER_AGENT, is_coded=True),
    "5/4": _field("with indexing, new name", 0x40, b"x-test", is_coded=False),
    "5/5": _field("with indexing, new name, Huffman", 0x40, b"x-test", is_coded=True),
    "5/6": _field("without indexing, indexed name", 0x00, _USER_AGENT, is_coded=False),
    "5/7": _field("without indexing, indexed name, Huffman", 0x00, _USER_AGENT, is_coded=True),
    "5/8": _field("without indexing, new name", 0x00, b"x-test", is_coded=False),
    "5/9": _field("without indexing, new name, Huffman", 0x00, b"x-test", is_coded=True),
    "5/10": _field("never indexed, indexed name", 0x10, _USER_AGENT, is_coded=False),
    "5/11": _field("never indexed, indexed name, Huffman", 0x10, _USER_AGENT, is_coded=True),
    "5/12": _field("never indexed, new name", 0x10, b"x-test", is_coded=False),
    "5/13": _field("never indexed, new name, Huffman", 0x10, b"x-test", is_coded=True),
    "5/14": Case("size update to 128", (frames.frame(1, END | WHOLE, 1, b"\x3f\x61" + FORM[1:]),), answered()),
    "5/15": Case(
        "size updates to 128 and 4096",
        (frames.frame(1, END | WHOLE, 1, b"\x3f\x61\x3f\xe1\x1f" + FORM[1:]),),
        answered(),
    ),
}

GENERIC = {**STARTING, **FRAMES, **MESSAGES, **HPACK}
