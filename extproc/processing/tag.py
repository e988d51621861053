"""The answers that tag requests, put together from pieces that are encoded once. Pure bytes, no message objects.

All requests that one rule deals get the same answer but for key, bucket and key hash, so everything round these three
is constant for keys of one length: an answer is one join, at an eighth of what building and serializing messages costs.
`codec.encode_tag` is the readable form; tests hold that both say the same.

For services with feedback an answer ends with the request's stamp, whose length is known: the writer leaves room for it
in every length that it writes, and what it gives lacks the stamp alone, for the caller to append.

Rules held: those of `codec`. The user's key stands in the header that the route hashes, and nowhere else: the log gets
the hash.
"""

from struct import Struct

from serinus.contract import headers
from serinus.contract.feedback import STAMP_CHARS

# Lengths of keys whose pieces are kept: those of a service's users are few. Others cost some microseconds each.
_LENGTHS_KEPT_MAX = 256
_OVERWRITE_IF_EXISTS_OR_ADD = b"\x18\x02"
_CLEAR_ROUTE_CACHE = b"\x28\x01"
_KEY_HASH_CHARS = 16
_pack_double = Struct("<d").pack


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _begun(number: int, length: int) -> bytes:
    """The tag of a field that has a length, and its length."""
    return bytes([number << 3 | 2]) + _varint(length)


def _field(number: int, content: bytes) -> bytes:
    return _begun(number, len(content)) + content


def _option_begun(name: str, length: int) -> bytes:
    """HeaderMutation.set_headers {header {key, raw_value}, append_action}, up to a value of that length."""
    value = _field(1, name.encode()) + _begun(3, length)
    header = _begun(1, len(value) + length) + value
    return _begun(1, len(header) + length + len(_OVERWRITE_IF_EXISTS_OR_ADD)) + header


def _option(name: str, value: str) -> bytes:
    raw = value.encode()
    return _option_begun(name, len(raw)) + raw + _OVERWRITE_IF_EXISTS_OR_ADD


def _entry(name: str, value: bytes) -> bytes:
    """Struct.fields, an entry of a map."""
    return _field(1, _field(1, name.encode()) + _field(2, value))


def _text(value: str) -> bytes:
    return _field(3, value.encode())


def _response_begun(mutation_bytes: int) -> bytes:
    """ProcessingResponse {request_headers {response {header_mutation, clear_route_cache}}}, up to the mutation."""
    mutation = _begun(2, mutation_bytes)
    common = _begun(1, len(mutation) + mutation_bytes + len(_CLEAR_ROUTE_CACHE)) + mutation
    return _begun(1, len(common) + mutation_bytes + len(_CLEAR_ROUTE_CACHE)) + common


def _metadata(entries: bytes) -> bytes:
    """ProcessingResponse.dynamic_metadata {serinus {entries}}."""
    return _field(8, _entry(headers.METADATA_NAMESPACE, _field(5, entries)))


def _without(end: bytes, whole: bytes) -> bytes:
    return whole[: len(whole) - len(end)]


class TagWriter:
    """The answers of one cohort, pin and slices. It remembers pieces, nothing else changes."""

    __slots__ = ("_cohort", "_mutation_end_bytes", "_tail", "_to_hash", "_to_key", "to_stamp", "without_key")

    def __init__(self, cohort: str, pin: str | None, *, slices: str = "", has_stamp: bool = False) -> None:
        """`has_stamp`: to each answer belong, behind it, `to_stamp` and a stamp."""
        stamp = _entry(headers.METADATA_STAMP, _text("0" * STAMP_CHARS)) if has_stamp else b""
        self.to_stamp = stamp[: len(stamp) - STAMP_CHARS] if has_stamp else b""
        self._cohort = _option(headers.COHORT, cohort)
        pinned = _option(headers.PIN, pin) if pin is not None else b""
        entries = _entry("cohort", _text(cohort)) + (_entry("pin", _text(pin)) if pin is not None else b"")
        entries += _entry("slices", _text(slices)) if slices else b""
        # For requests without a key.
        self.without_key = (
            _response_begun(len(self._cohort) + len(pinned))
            + self._cohort
            + pinned
            + _CLEAR_ROUTE_CACHE
            + _without(stamp, _metadata(entries + stamp))
        )
        # The last two entries end with what varies, so the pieces between are the same for all keys.
        bucket = _entry("bucket", b"\x11" + bytes(8))
        key = _entry("key", _text("0" * _KEY_HASH_CHARS))
        whole = _without(stamp, _metadata(entries + bucket + key + stamp))
        mutation_end = _OVERWRITE_IF_EXISTS_OR_ADD + pinned
        self._mutation_end_bytes = len(mutation_end)
        self._tail = mutation_end + _CLEAR_ROUTE_CACHE + whole[: -len(key) - 8]
        self._to_hash = key[:-_KEY_HASH_CHARS]
        self._to_key: dict[int, tuple[bytes, bytes]] = {}

    def with_key(self, salted_key: bytes, key_hash: int, bucket: int) -> bytes:
        digits = b"%d" % bucket
        lengths = len(salted_key) << 3 | len(digits)
        to_key, to_bucket = self._to_key.get(lengths) or self._pieces(lengths)
        bucket_value = _pack_double(bucket)
        hash_text = b"%016x" % key_hash
        return b"".join((to_key, salted_key, to_bucket, digits, self._tail, bucket_value, self._to_hash, hash_text))

    def _pieces(self, lengths: int) -> tuple[bytes, bytes]:
        """What stands before the key, and between it and the bucket."""
        key_bytes, digit_count = lengths >> 3, lengths & 7
        key = _option_begun(headers.KEY, key_bytes)
        bucket = _OVERWRITE_IF_EXISTS_OR_ADD + _option_begun(headers.BUCKET, digit_count)
        size = len(self._cohort) + len(key) + key_bytes + len(bucket) + digit_count + self._mutation_end_bytes
        pieces = _response_begun(size) + self._cohort + key, bucket
        if len(self._to_key) < _LENGTHS_KEPT_MAX:
            self._to_key[lengths] = pieces
        return pieces
