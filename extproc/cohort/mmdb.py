"""Places by address, from a file in MaxMind's DB format 2.0 (GeoLite2, GeoIP2, DB-IP): country, continent, regions.

All of the file is looked at when it is read: every record of the tree leads to a node or to data that can be read, so a
look-up cannot fail later. Then only the tree is kept, and one short `Place` a distinct record. Of the data it reads
`country.iso_code`, `continent.code` and `subdivisions[].iso_code`, and nothing else. Pure: bytes come in.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from sys import intern

from extproc.cohort.errors import BadFileError
from serinus.contract.geo import Place
from serinus.contract.request import Address

_MARKER = b"\xab\xcd\xefMaxMind.com"
# The format's own bound on what follows the marker.
_METADATA_BYTES_MAX = 128 * 1024
# Between tree and data.
_GAP_BYTES = 16
# GeoIP2 nests five deep. A pointer must lead to a value, not to a pointer.
_DEPTH_MAX = 16
_POINTER, _TEXT, _DOUBLE, _UINT16, _UINT32, _MAP, _UINT64, _UINT128 = 1, 2, 3, 5, 6, 7, 9, 10
_ARRAY, _BOOLEAN = 11, 14
_NUMBERS = frozenset({_UINT16, _UINT32, _UINT64, _UINT128})
_KINDS = frozenset({_TEXT, _DOUBLE, 4, *_NUMBERS, 8, 15})
# About 0.3 ms of work.
_NODES_A_TURN = 500


class BadPlacesError(BadFileError):
    """Not a file of that format, or a broken one."""

    code = "bad_places"


class Places:
    """Immutable. A look-up walks one bit of the address a step: 5 to 17 us."""

    __slots__ = ("_node_count", "_places", "_record_bits", "_starts", "_tree", "count")

    def __init__(
        self, tree: bytes, node_count: int, record_bits: int, ip_version: int, places: dict[int, Place]
    ) -> None:
        self._tree, self._node_count, self._record_bits = tree, node_count, record_bits
        self._places = places
        self.count = len(places)
        # In a tree of IPv6 the IPv4 addresses lie under ::/96.
        self._starts = {4: 0} if ip_version == 4 else {6: 0, 4: self._walk(0, 0, 96)}

    def of(self, address: Address) -> Place | None:
        """None: the file does not know the address."""
        start = self._starts.get(address.version)
        if start is None:
            return None
        return self._places.get(self._walk(start, int(address), address.max_prefixlen))

    def _walk(self, node: int, number: int, bits: int) -> int:
        for place in range(bits - 1, -1, -1):
            if node >= self._node_count:
                break
            node = _record(self._tree, self._record_bits, node, number >> place & 1)
        return node


def _record(tree: bytes, record_bits: int, node: int, side: int) -> int:
    if record_bits == 28:
        at = node * 7
        middle = tree[at + 3]
        if side:
            return (middle & 0x0F) << 24 | int.from_bytes(tree[at + 4 : at + 7], "big")
        return (middle & 0xF0) << 20 | int.from_bytes(tree[at : at + 3], "big")
    size = record_bits // 8
    at = (node * 2 + side) * size
    return int.from_bytes(tree[at : at + size], "big")


def _no_pause() -> None:
    pass


def read(data: bytes, *, pause: Callable[[], None] = _no_pause) -> Places:
    """`pause` is called after each bit of work. Raises BadPlacesError."""
    try:
        return _read(data, pause)
    except (IndexError, UnicodeDecodeError) as error:
        raise BadPlacesError("it ends too early or holds text that is none") from error


def _read(data: bytes, pause: Callable[[], None]) -> Places:
    found = data.rfind(_MARKER, max(0, len(data) - _METADATA_BYTES_MAX))
    if found < 0:
        raise BadPlacesError("no file of MaxMind's DB format", next_step="give a .mmdb file, unpacked")
    metadata = _Data(data[found + len(_MARKER) :])
    names = metadata.members(0)
    format_version, node_count, record_bits, ip_version = (
        metadata.number(names, name)
        for name in ("binary_format_major_version", "node_count", "record_size", "ip_version")
    )
    if format_version != 2 or record_bits not in (24, 28, 32) or ip_version not in (4, 6):
        text = f"format {format_version}, records of {record_bits} bits, IPv{ip_version}"
        raise BadPlacesError(f"cannot be read: {text}")
    tree_bytes = node_count * record_bits // 4
    if not node_count or tree_bytes + _GAP_BYTES > found:
        raise BadPlacesError(f"{node_count} nodes do not fit into the file")
    tree, section = data[:tree_bytes], _Data(data[tree_bytes + _GAP_BYTES : found])
    places: dict[int, Place] = {}
    for node in range(node_count):
        if node % _NODES_A_TURN == 0:
            pause()
        for side in (0, 1):
            value = _record(tree, record_bits, node, side)
            if value > node_count and value not in places:
                places[value] = section.place(value - node_count - _GAP_BYTES)
    return Places(tree, node_count, record_bits, ip_version, places)


class _Data:
    """A data section: values at offsets. Raises BadPlacesError, or IndexError past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._codes: dict[tuple[int, str], str] = {}
        self._alike: dict[Place, Place] = {}

    def place(self, at: int) -> Place:
        """What a record says. Equal places are one object: a city file has a hundred cities a region."""
        names = self.members(at)
        country = self._code(names, "country", "iso_code")
        regions: list[str] = []
        if "subdivisions" in names:
            parts = (self._code_at(each, "iso_code") for each in self._items(names["subdivisions"]))
            regions = [intern(f"{country}-{part}") for part in parts if part]
        found = Place(country, self._code(names, "continent", "code"), tuple(regions))
        return self._alike.setdefault(found, found)

    def _code(self, names: Mapping[str, int], name: str, member: str) -> str:
        return self._code_at(names[name], member) if name in names else ""

    def _code_at(self, at: int, member: str) -> str:
        """A text of a map; "" if it is not there."""
        kind, target, _ = self._head(at)
        at = target if kind == _POINTER else at  # countries stand once, and are pointed at
        known = self._codes.get((at, member))
        if known is None:
            names = self.members(at)
            known = intern(self._text(names[member])) if member in names else ""
            self._codes[at, member] = known
        return known

    def members(self, at: int) -> dict[str, int]:
        """A map's names, and where each value begins."""
        kind, size, at = self._value(at)
        if kind != _MAP:
            raise BadPlacesError(f"a map was expected, not type {kind}")
        names = {}
        for _ in range(size):
            name = self._text(at)
            at = self._skip(at)
            names[name] = at
            at = self._skip(at)
        return names

    def number(self, names: Mapping[str, int], name: str) -> int:
        kind, size, at = self._value(names[name]) if name in names else (0, 0, 0)
        if kind not in _NUMBERS:
            raise BadPlacesError(f"its metadata has no number {name}")
        return int.from_bytes(self._bytes(at, size), "big")

    def _items(self, at: int) -> list[int]:
        kind, size, at = self._value(at)
        if kind != _ARRAY:
            raise BadPlacesError(f"an array was expected, not type {kind}")
        starts = []
        for _ in range(size):
            starts.append(at)
            at = self._skip(at)
        return starts

    def _text(self, at: int) -> str:
        kind, size, at = self._value(at)
        if kind != _TEXT:
            raise BadPlacesError(f"a text was expected, not type {kind}")
        return self._bytes(at, size).decode()

    def _bytes(self, at: int, size: int) -> bytes:
        if at + size > len(self._data):
            raise BadPlacesError("a value runs over the end")
        return self._data[at : at + size]

    def _value(self, at: int) -> tuple[int, int, int]:
        """Type, size and first byte of a value, behind a pointer if need be."""
        kind, size, after = self._head(at)
        if kind != _POINTER:
            return kind, size, after
        kind, size, after = self._head(size)
        if kind == _POINTER:
            raise BadPlacesError("a pointer to a pointer")
        return kind, size, after

    def _head(self, at: int) -> tuple[int, int, int]:
        """Type, size and first byte behind a control byte; of a pointer, `size` is where it leads."""
        data = self._data
        if at < 0:
            raise BadPlacesError("data before the section")
        control = data[at]
        kind, size, at = control >> 5, control & 0x1F, at + 1
        if kind == _POINTER:
            width = (size >> 3) + 1
            value = int.from_bytes(self._bytes(at, width), "big")
            if width < 4:
                value += ((size & 7) << 8 * width) + (0, 2_048, 526_336)[width - 1]
            return kind, value, at + width
        if kind == 0:
            kind, at = data[at] + 7, at + 1
        if size >= 29:
            width = size - 28
            size = (29, 285, 65_821)[width - 1] + int.from_bytes(self._bytes(at, width), "big")
            at += width
        return kind, size, at

    def _skip(self, at: int, depth: int = 0) -> int:
        """The first byte behind a value."""
        kind, size, at = self._head(at)
        if kind in (_POINTER, _BOOLEAN):
            return at
        if kind in _KINDS:
            self._bytes(at, size)
            return at + size
        if kind not in (_MAP, _ARRAY) or depth >= _DEPTH_MAX:
            raise BadPlacesError(f"type {kind}, {depth} deep")
        for _ in chain(range(size), range(size if kind == _MAP else 0)):
            at = self._skip(at, depth + 1)
        return at
