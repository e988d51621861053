"""Decoded fields -> a request, or why they are none (RFC 9113 8.2, 8.3: "malformed"). Pure, so it is worth remembering.

Rules held: names in lower case and of permitted bytes, values without NUL, CR, LF and outer blanks (8.2.1); no field of
HTTP/1.1's connection management, `te` only with "trailers" (8.2.2); the pseudo-fields of a request, each once, before
all others (8.3, 8.3.1); one content-length (8.1.1). What a method or a path means is not decided here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from extproc.h2.hpack_table import Field

# RFC 9113 8.2.1: never in a name: controls, blank, upper case, DEL and above; a colon only in front of a pseudo-field.
_NAME = re.compile(rb":?[\x21-\x39\x3b-\x40\x5b-\x7e]+")
_BAD_IN_VALUE = re.compile(rb"[\x00\r\n]|^[ \t]|[ \t]\Z")
_OF_A_CONNECTION = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
# A length of more digits is no length: RFC 9110 8.6 asks to guard against overflow.
_CONTENT_LENGTH = re.compile(rb"\d{1,18}")


class MalformedError(ValueError):
    """The fields are no request: PROTOCOL_ERROR on the stream (RFC 9113 8.1.1)."""


@dataclass(slots=True)
class Request:
    """A well-formed request. `fields` are the regular ones, in order."""

    method: bytes
    path: bytes
    authority: bytes
    fields: tuple[Field, ...]
    content_length: int | None
    # What the layer above made of it. Requests of equal blocks are one object, so it is made once.
    plan: Any = field(default=None, compare=False, repr=False)
    # How it is answered without an event, if it may be (sending.AtOnce).
    at_once: Any = field(default=None, compare=False, repr=False)

    def value(self, name: bytes) -> bytes:
        """The first value of a regular field, b"" without one."""
        return next((value for each, value in self.fields if each == name), b"")


def request_of(fields: Sequence[Field]) -> Request:
    """Raises MalformedError."""
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    for name, value in fields:
        _check(name, value)
        if not name.startswith(b":"):
            regular.append((name, value))
        elif name not in _PSEUDO:
            raise MalformedError(f"pseudo-field {name!r} is of no request")
        elif regular:
            raise MalformedError("pseudo-field behind a regular one")
        elif name in pseudo:
            raise MalformedError(f"pseudo-field {name!r} twice")
        else:
            pseudo[name] = value
    method = pseudo.get(b":method", b"")
    _check_target(method, pseudo)
    authority = _authority(pseudo, regular)
    return Request(method, pseudo.get(b":path", b""), authority, tuple(regular), _content_length(regular))


def check_trailers(fields: Sequence[Field]) -> None:
    """Raises MalformedError (RFC 9113 8.1: no pseudo-fields in trailers)."""
    for name, value in fields:
        _check(name, value)
        if name.startswith(b":"):
            raise MalformedError("pseudo-field in trailers")


def _check(name: bytes, value: bytes) -> None:
    if not _NAME.fullmatch(name):
        raise MalformedError("field name of forbidden bytes")
    if _BAD_IN_VALUE.search(value):
        raise MalformedError("field value of forbidden bytes")
    if name in _OF_A_CONNECTION:
        raise MalformedError(f"field {name!r} is of HTTP/1.1")
    if name == b"te" and value.lower() != b"trailers":
        raise MalformedError("te other than trailers")


def _check_target(method: bytes, pseudo: dict[bytes, bytes]) -> None:
    if not method:
        raise MalformedError("no :method")
    if method == b"CONNECT":  # RFC 9113 8.5
        if b":scheme" in pseudo or b":path" in pseudo or not pseudo.get(b":authority"):
            raise MalformedError("CONNECT has an :authority and neither :scheme nor :path")
    elif not pseudo.get(b":scheme") or not pseudo.get(b":path"):
        raise MalformedError("no :scheme or no :path")


def _authority(pseudo: dict[bytes, bytes], regular: Sequence[Field]) -> bytes:
    """RFC 9113 8.3.1: a Host that names someone else than :authority does makes the request malformed."""
    hosts = {value.lower() for name, value in regular if name == b"host"}
    authority = pseudo.get(b":authority")
    if len(hosts | ({authority.lower()} if authority is not None else set())) > 1:
        raise MalformedError("host and :authority differ")
    return authority if authority is not None else next(iter(hosts), b"")


def _content_length(regular: Sequence[Field]) -> int | None:
    lengths = {value for name, value in regular if name == b"content-length"}
    if not lengths:
        return None
    if len(lengths) > 1 or not _CONTENT_LENGTH.fullmatch(next(iter(lengths))):
        raise MalformedError("content-length is no length")
    return int(next(iter(lengths)))
