"""Files of MaxMind's DB format, written for tests: networks -> records, any record size, IPv4 or IPv6."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
Value = Any


def encoded(value: Value) -> bytes:
    """A value of the data section, without pointers."""
    match value:
        case bool():
            return _head(14, int(value))
        case str():
            return _head(2, len(value.encode())) + value.encode()
        case bytes():
            return _head(4, len(value)) + value
        case float():
            return _head(3, 8) + struct.pack(">d", value)
        case int():
            raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return _head(6 if len(raw) <= 4 else 9, len(raw)) + raw
        case dict():
            return _head(7, len(value)) + b"".join(encoded(name) + encoded(each) for name, each in value.items())
        case list():
            return _head(11, len(value)) + b"".join(map(encoded, value))
        case Pointer(to):
            return to_pointer(to)
    raise TypeError(value)


@dataclass(frozen=True)
class Pointer:
    """Instead of a value: the offset where it stands."""

    to: int


def to_pointer(to: int) -> bytes:
    for size, (start, end) in enumerate(((0, 2_048), (2_048, 526_336), (526_336, 134_744_064))):
        if to < end:
            rest = to - start
            return bytes([0x20 | size << 3 | rest >> 8 * (size + 1)]) + (rest & (1 << 8 * (size + 1)) - 1).to_bytes(
                size + 1, "big"
            )
    return b"\x38" + to.to_bytes(4, "big")


def _head(kind: int, size: int) -> bytes:
    if size < 29:
        low, more = size, b""
    elif size < 285:
        low, more = 29, bytes([size - 29])
    elif size < 65_821:
        low, more = 30, (size - 285).to_bytes(2, "big")
    else:
        low, more = 31, (size - 65_821).to_bytes(3, "big")
    if kind > 7:
        return bytes([low, kind - 7]) + more
    return bytes([kind << 5 | low]) + more


@dataclass
class _Tree:
    """Nodes as pairs of: a node's number, a record's bytes, nothing."""

    nodes: list[list[int | bytes | None]] = field(default_factory=lambda: [[None, None]])

    def add(self, bits: str, record: bytes) -> None:
        node = 0
        for bit in bits[:-1]:
            side = int(bit)
            below = self.nodes[node][side]
            if not isinstance(below, int):
                self.nodes.append([below, below])
                below = self.nodes[node][side] = len(self.nodes) - 1
            node = below
        self.nodes[node][int(bits[-1])] = record


def written(
    networks: Mapping[str, Value],
    *,
    record_bits: int = 24,
    ip_version: int = 6,
    shared: Value = None,
    **metadata: Value,
) -> bytes:
    """The file. Longer networks must come after those that hold them. `shared` stands first in the data section, for
    pointers; `metadata` replaces what would be written there.
    """
    tree, data, places = _Tree(), encoded(shared) if shared is not None else b"", {}
    for text, value in networks.items():
        record = encoded(value)
        if record not in places:
            places[record] = len(data)
            data += record
        tree.add(_bits(text, ip_version), record)
    count = len(tree.nodes)
    packed = b"".join(_node(record_bits, *(_number(side, count, places) for side in node)) for node in tree.nodes)
    described = {
        "node_count": count,
        "record_size": record_bits,
        "ip_version": ip_version,
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "database_type": "Test",
        "description": {"en": "of tests"},
        "languages": ["en"],
        **metadata,
    }
    return packed + bytes(16) + data + MARKER + encoded(described)


def _bits(text: str, ip_version: int) -> str:
    network = ip_network(text)
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    return "0" * 96 + bits if network.version == 4 and ip_version == 6 else bits


def _number(side: int | bytes | None, count: int, places: Mapping[bytes, int]) -> int:
    if side is None:
        return count
    return side if isinstance(side, int) else count + 16 + places[side]


def _node(record_bits: int, left: int, right: int) -> bytes:
    if record_bits == 28:
        high = (left >> 24) << 4 | right >> 24
        return (left & 0xFFFFFF).to_bytes(3, "big") + bytes([high]) + (right & 0xFFFFFF).to_bytes(3, "big")
    return left.to_bytes(record_bits // 8, "big") + right.to_bytes(record_bits // 8, "big")


def place(country: str = "", continent: str = "", *regions: str) -> dict[str, Value]:
    """A record as GeoIP2 has it. `regions`: the second half of the code."""
    record: dict[str, Value] = {"registered_country": {"iso_code": "XX", "geoname_id": 1}}
    if country:
        record["country"] = {"names": {"en": "A country", "de": "Ein Land"}, "iso_code": country, "is_in": True}
    if continent:
        record["continent"] = {"code": continent, "geoname_id": 6_255_148}
    if regions:
        record["subdivisions"] = [{"iso_code": region} for region in regions]
    return record


WORLD = {
    "10.0.0.0/8": place("DE", "EU", "BE"),
    "10.1.0.0/16": place("US", "NA", "CA", "ORC"),
    "192.0.2.0/24": place("", "AS"),
    "2001:db8::/32": place("FR", "EU"),
}
