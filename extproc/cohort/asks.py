"""What plain tests ask of a request, many at once: each `ask` gives a bit for every test of its group that holds.

A group is what one look answers: all tests of the headers, of the cookies, of the address, of one list, of one share's
salt … Its cost does not grow with the number of its tests, but with the kinds of lengths that prefixes, suffixes and
networks have, and with the divisors.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import TypeVar

from extproc.cohort.facts import Facts
from extproc.cohort.idlist import IdList
from extproc.cohort.mmdb import Places
from extproc.cohort.regex import RegexSet
from serinus.contract.bucket import bucket_of
from serinus.contract.condition import (
    AddressTest,
    ModuloTest,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
    is_within,
    number_of,
)
from serinus.contract.geo import GeoTest, Place, is_there

Key = TypeVar("Key")
Ask = Callable[[Facts], int]
# Addresses of a busy second; each costs 5 to 17 us to look up.
_ADDRESSES_KEPT_MAX = 4_096
# Users of a busy minute, 1 MB; each costs 0.3 us a salt. A key that is longer than any usual id is not kept.
_KEYS_KEPT_MAX = 8_192
# Of one header: teams, tiers, regions; 40 KB at most. Of users it holds the first ones, and costs the others nothing.
_TEXTS_KEPT_MAX = 256
_KEY_KEPT_BYTES_MAX = 64


class _Field(dict[bytes, int]):
    """All tests of one text but regular expressions: the texts whose answer is known, with it. Affixes are kept by
    length: a look for each length. What is asked often is remembered, a text that is long or one too many is not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.present = 0
        self.exact: dict[bytes, int] = {}
        self.prefixes: dict[int, dict[bytes, int]] = {}
        self.suffixes: dict[int, dict[bytes, int]] = {}
        self.moduli: dict[int, dict[int, int]] = {}

    def __missing__(self, text: bytes) -> int:
        found = self.holding(text)
        if len(self) < _TEXTS_KEPT_MAX and len(text) <= _KEY_KEPT_BYTES_MAX:
            self[text] = found
        return found

    def add(self, test: TextTest | ModuloTest, bit: int) -> None:
        if isinstance(test, ModuloTest):
            _add_all(self.moduli.setdefault(test.divisor, {}), test.remainders, bit)
            return
        operands = [operand.encode() for operand in test.operands]
        match test.op:
            case Op.PRESENT:
                self.present |= bit
            case Op.PREFIX:
                _add_all(self.prefixes.setdefault(len(operands[0]), {}), operands, bit)
            case Op.SUFFIX:
                _add_all(self.suffixes.setdefault(len(operands[0]), {}), operands, bit)
            case _:
                _add_all(self.exact, operands, bit)

    def holding(self, text: bytes) -> int:
        found = self.present | self.exact.get(text, 0)
        if self.prefixes:
            for length, prefixes in self.prefixes.items():
                found |= prefixes.get(text[:length], 0)
        if self.suffixes:
            for length, suffixes in self.suffixes.items():
                found |= suffixes.get(text[-length:], 0)
        if self.moduli:
            number = number_of(text)
            if number is not None:
                for divisor, remainders in self.moduli.items():
                    found |= remainders.get(number % divisor, 0)
        return found


def _add_all(masks: dict[Key, int], keys: Iterable[Key], bit: int) -> None:
    for key in keys:
        masks[key] = masks.get(key, 0) | bit


def tests_of_key(tests: Sequence[TextTest | ModuloTest]) -> Callable[[bytes], int]:
    """All tests of the header that holds the sticky key, by its text. Keys are many: no text is remembered."""
    field = _Field()
    for place, test in enumerate(tests):
        field.add(test, 1 << place)
    return field.holding


def ask_texts(source: Source, tests: Sequence[TextTest | ModuloTest], *, repeats: bool = True) -> Ask:
    """All tests of headers, of cookies, of the query's fields, or of the one text that a source has. `repeats`: texts
    come again, so it is worth looking whether they are known."""
    by_name: dict[str, _Field] = {}
    for place, test in enumerate(tests):
        by_name.setdefault(test.name, _Field()).add(test, 1 << place)
    field_of = by_name.get
    only, field = next(iter(by_name.items()))
    look = field.__getitem__ if repeats else field.holding

    def headers(facts: Facts) -> int:
        found = 0
        for name, texts in facts.values.items():
            one = field_of(name)
            if one is not None and texts:
                found |= one[texts[0] if len(texts) == 1 else b",".join(texts)]
        return found

    def header(facts: Facts) -> int:
        texts = facts.values.get(only)
        return look(texts[0] if len(texts) == 1 else b",".join(texts)) if texts else 0

    def named(facts: Facts) -> int:
        found, texts = 0, facts.cookies() if source is Source.COOKIE else facts.fields()
        for name in by_name.keys() & texts.keys():
            found |= by_name[name][texts[name]]
        return found

    def single(facts: Facts) -> int:
        text = facts.text(source, "")
        return by_name[""][text] if text is not None else 0

    if source is Source.HEADER:
        return header if len(by_name) == 1 else headers
    return named if source in (Source.COOKIE, Source.QUERY) else single


def ask_regexes(source: Source, name: str, tests: Sequence[TextTest]) -> Ask:
    """All regular expressions on one text. Raises BadRegexError."""
    matching = RegexSet([test.operands[0] for test in tests]).matching

    def ask(facts: Facts) -> int:
        text = facts.text(source, name)
        return matching(text) if text is not None else 0

    return ask


def ask_list(source: Source, name: str, ids: IdList) -> Ask:
    """One text in one list. There is one such test."""

    def ask(facts: Facts) -> int:
        text = facts.text(source, name)
        return int(text is not None and text in ids)

    return ask


def ask_networks(tests: Sequence[AddressTest]) -> Ask:
    """Networks by family and length: a look for each length, not for each network."""
    by_shift: dict[int, dict[int, dict[int, int]]] = {4: {}, 6: {}}
    for place, test in enumerate(tests):
        for network in map(ip_network, test.networks):
            shift = network.max_prefixlen - network.prefixlen
            starts = by_shift[network.version].setdefault(shift, {})
            _add_all(starts, [int(network.network_address) >> shift], 1 << place)

    def ask(facts: Facts) -> int:
        address = facts.address()
        if address is None:
            return 0
        found, number = 0, int(address)
        for shift, starts in by_shift[address.version].items():
            found |= starts.get(number >> shift, 0)
        return found

    return ask


def ask_places(places: Places, tests: Sequence[GeoTest]) -> Ask:
    """All tests of one file of places. Both what an address means and what a place means is remembered."""
    of_place: dict[Place, int] = {}
    of_address: dict[tuple[int, int], int] = {}

    def ask(facts: Facts) -> int:
        address = facts.address()
        if address is None:
            return 0
        known = of_address.get((address.version, int(address)))
        if known is None:
            place = places.of(address)
            known = of_place.get(place, -1) if place is not None else 0
            if place is not None and known < 0:
                known = of_place[place] = sum(is_there(test, place) << at for at, test in enumerate(tests))
            if len(of_address) >= _ADDRESSES_KEPT_MAX:
                of_address.clear()
            of_address[address.version, int(address)] = known
        return known

    return ask


def ask_times(tests: Sequence[TimeTest]) -> Ask:
    """Windows of time change by the second: looked at once a second, not once a request."""
    looked_at: tuple[int, int] | None = None

    def ask(facts: Facts) -> int:
        nonlocal looked_at
        if looked_at is None or looked_at[0] != facts.now_s:
            looked_at = facts.now_s, sum(is_within(test, facts.now_s) << place for place, test in enumerate(tests))
        return looked_at[1]

    return ask


def ask_shares(tests: Sequence[ShareTest]) -> Ask:
    """All shares: a hash for each salt. Of several salts a user's answer is remembered, since it never changes."""
    by_salt: dict[str, dict[int, int]] = {}
    for place, test in enumerate(tests):
        _add_all(by_salt.setdefault(test.salt, {}), [test.share_bp], 1 << place)
    deals = [(salt, *_steps(shares)) for salt, shares in by_salt.items()]
    of_key: dict[bytes, int] = {}

    def dealt(key: bytes) -> int:
        found = 0
        for salt, ends, holding in deals:
            found |= holding[bisect_right(ends, bucket_of(salt, key))]
        return found

    def ask(facts: Facts) -> int:
        key = facts.key
        if key is None:
            return 0
        if len(deals) == 1 or len(key) > _KEY_KEPT_BYTES_MAX:
            return dealt(key)
        known = of_key.get(key)
        if known is None:
            if len(of_key) >= _KEYS_KEPT_MAX:
                of_key.clear()
            known = of_key[key] = dealt(key)
        return known

    return ask


def _steps(shares: Mapping[int, int]) -> tuple[list[int], list[int]]:
    """Where shares end, in order, and the tests that hold for a bucket before each end; for the last none does."""
    ends = sorted(shares)
    holding = [0]
    for end in reversed(ends):
        holding.append(holding[-1] | shares[end])
    return ends, holding[::-1]


def ask_rule(holds: Callable[[Facts], bool]) -> Ask:
    """A rule of too many alternatives, as it stands."""
    return lambda facts: int(holds(facts))
