"""Conditions as closures over the facts of one request: the contract's `holds`, with everything prepared beforehand."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network

from extproc.cohort import regex
from extproc.cohort.idlist import BadListError, IdList
from serinus.contract import request
from serinus.contract.bucket import bucket_of
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
    is_within,
    number_of,
    text_of,
)
from serinus.contract.request import Address


class Facts:
    """One request. What takes work to read is read once, when first asked for."""

    __slots__ = ("_address", "_cookies", "_fields", "key", "now_s", "values")

    def __init__(self, values: Mapping[str, Sequence[bytes]], key: bytes | None, now_s: int) -> None:
        self.values = values
        self.key = key
        self.now_s = now_s
        self._cookies: Mapping[str, bytes] | None = None
        self._fields: Mapping[str, bytes] | None = None
        self._address: tuple[Address | None] | None = None

    def lookup(self, name: str) -> Sequence[bytes]:
        return self.values.get(name, ())

    def text(self, source: Source, name: str) -> bytes | None:
        match source:
            case Source.COOKIE:
                if self._cookies is None:
                    self._cookies = request.cookies(self.lookup)
                return self._cookies.get(name)
            case Source.QUERY:
                if self._fields is None:
                    self._fields = request.query_fields(self.lookup)
                return self._fields.get(name)
        return text_of(source, name, self.lookup, self.key)

    def address(self) -> Address | None:
        if self._address is None:
            self._address = (request.source_address(self.lookup),)
        return self._address[0]


Check = Callable[[Facts], bool]


def check_of(condition: Condition, lists: Mapping[str, IdList]) -> Check:
    """Raises BadListError for a list that is not there, BadRegexError."""
    match condition:
        case TextTest():
            return _text(condition, lists)
        case ModuloTest():
            return _modulo(condition)
        case AddressTest(networks):
            return _address(networks)
        case TimeTest():
            return lambda facts: is_within(condition, facts.now_s)
        case ShareTest(share_bp, salt):
            return lambda facts: facts.key is not None and bucket_of(salt, facts.key) < share_bp
        case AllOf(parts):
            every = tuple(check_of(part, lists) for part in parts)
            return lambda facts: all(check(facts) for check in every)
        case AnyOf(parts):
            either = tuple(check_of(part, lists) for part in parts)
            return lambda facts: any(check(facts) for check in either)
        case Not(part):
            check = check_of(part, lists)
            return lambda facts: not check(facts)


def _text(test: TextTest, lists: Mapping[str, IdList]) -> Check:
    source, name, meets = test.source, test.name, _meets(test, lists)

    def check(facts: Facts) -> bool:
        text = facts.text(source, name)
        return text is not None and meets(text)

    return check


def _meets(test: TextTest, lists: Mapping[str, IdList]) -> Callable[[bytes], bool]:
    operands = tuple(map(str.encode, test.operands))
    match test.op:
        case Op.PRESENT:
            return lambda _text: True
        case Op.IN:
            return frozenset(operands).__contains__
        case Op.REGEX:
            return regex.compiled(test.operands[0])
        case Op.IN_FILE:
            ids = lists.get(test.operands[0])
            if ids is None:
                raise BadListError(f"list {test.operands[0]!r} is not loaded")
            return ids.__contains__
        case Op.EXACT:
            return operands[0].__eq__
        case Op.PREFIX:
            return lambda text: text.startswith(operands[0])
        case Op.SUFFIX:
            return lambda text: text.endswith(operands[0])


def _modulo(test: ModuloTest) -> Check:
    source, name, divisor, remainders = test.source, test.name, test.divisor, frozenset(test.remainders)

    def check(facts: Facts) -> bool:
        number = number_of(facts.text(source, name))
        return number is not None and number % divisor in remainders

    return check


def _address(networks: Sequence[str]) -> Check:
    """Networks by family and length: a lookup for each length, not for each network."""
    by_shift: dict[tuple[int, int], set[int]] = {}
    for text in networks:
        network = ip_network(text)
        shift = network.max_prefixlen - network.prefixlen
        by_shift.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
    tests = tuple((version, shift, frozenset(starts)) for (version, shift), starts in by_shift.items())

    def check(facts: Facts) -> bool:
        address = facts.address()
        if address is None:
            return False
        number = int(address)
        return any(version == address.version and number >> shift in starts for version, shift, starts in tests)

    return check
