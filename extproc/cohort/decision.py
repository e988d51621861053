"""A service's policy, compiled once: the contract's `evaluate`, at a cost that hardly grows with the rules.

Each rule is taken apart into terms (`terms.py`), and all terms stand as bits of one number, in the order of the rules.
The plain tests are gathered into groups that one look answers (`asks.py`); each answer strikes out the terms that it
contradicts. Headers are asked first; then the first term that is still there says which group to ask next, the cheapest
first, until a term has nothing left to be asked: its rule is the first that is met. So a group is asked at most
once a request, and only if the outcome can depend on it: cookies, query, address, lists and shares mostly are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from extproc.cohort import asks, regex
from extproc.cohort.asks import Ask
from extproc.cohort.facts import Facts
from extproc.cohort.files import Files
from extproc.cohort.ruling import Ruling, Rulings, rulings_of, rulings_of_token
from extproc.cohort.terms import Term, terms_of
from serinus.contract.bucket import place_of, salted_key
from serinus.contract.condition import (
    AddressTest,
    Condition,
    ModuloTest,
    Op,
    ShareTest,
    Source,
    Surroundings,
    TextTest,
    TimeTest,
    holds,
)
from serinus.contract.geo import GeoTest
from serinus.contract.headers import TOKEN
from serinus.contract.policy import Assignment, ServicePolicy, token_result
from serinus.contract.request import StickyKind, StickySource, sticky_key, usable_key
from serinus.contract.token import TokenResult, claims_of

# What one group has answered so far, and what follows: answers repeat. A policy has a few hundred of them at most,
# unless somebody plays with prefixes.
_ANSWERS_KEPT_MAX = 1_024
NO_FILES = Files()
OnToken = Callable[[TokenResult], None]
Values = Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class _Rule:
    """Stands for a whole rule that has too many alternatives."""

    place: int
    when: Condition


_Test = Condition | _Rule
# Cheapest first; then what tells the groups of one kind apart.
_Kind = tuple[int, str, str, str, bool]
_TEXTS = {Source.HEADER: 0, Source.METHOD: 1, Source.KEY: 2, Source.PATH: 3, Source.QUERY: 8, Source.COOKIE: 9}
_TIME, _REGEX, _ADDRESS, _PLACE, _LIST, _SHARE, _RULE = 4, 5, 6, 7, 10, 11, 12


def _kind_of(test: _Test, key_header: str) -> _Kind:
    return *_sort_of(test), _is_dynamic(test, key_header)


def _sort_of(test: _Test) -> tuple[int, str, str, str]:
    match test:
        case TextTest(source, name, Op.REGEX):
            return _REGEX, source.value, name, ""
        case TextTest(source, name, Op.IN_FILE, operands):
            return _LIST, source.value, name, operands[0]
        case TextTest(source) | ModuloTest(source):
            return _TEXTS[source], source.value, "", ""
        case TimeTest():
            return _TIME, "", "", ""
        case AddressTest():
            return _ADDRESS, "", "", ""
        case GeoTest(file):
            return _PLACE, file, "", ""
        case ShareTest():
            return _SHARE, "", "", ""
        case _Rule(place):
            return _RULE, f"{place:04}", "", ""
    raise AssertionError(f"{test} is no plain test")


def _is_dynamic(test: _Test, key_header: str) -> bool:
    """Whether the answer can be another for a request that differs by its key alone, or comes later."""
    match test:
        case TextTest(source, name) | ModuloTest(source, name):
            return source is Source.KEY or (source is Source.HEADER and name == key_header)
        case ShareTest() | TimeTest() | _Rule():
            return True
    return False


def _ask_of(kind: _Kind, tests: Sequence[_Test], files: Files) -> Ask:
    """Raises BadFileError for a file that is not there, BadRegexError."""
    match tests[0]:
        case TextTest(source, name, Op.REGEX):
            return asks.ask_regexes(source, name, [test for test in tests if isinstance(test, TextTest)])
        case TextTest(source, name, Op.IN_FILE, operands):
            return asks.ask_list(source, name, files.ids(operands[0]))
        case TextTest(source) | ModuloTest(source):
            return asks.ask_texts(source, [test for test in tests if isinstance(test, TextTest | ModuloTest)])
        case AddressTest():
            return asks.ask_networks([test for test in tests if isinstance(test, AddressTest)])
        case GeoTest(file):
            return asks.ask_places(files.places_in(file), [test for test in tests if isinstance(test, GeoTest)])
        case TimeTest():
            return asks.ask_times([test for test in tests if isinstance(test, TimeTest)])
        case ShareTest():
            return asks.ask_shares([test for test in tests if isinstance(test, ShareTest)])
        case _Rule(_, when):
            return asks.ask_rule(_as_it_stands(when, files))
    raise AssertionError(f"no group of {kind}")


def _as_it_stands(when: Condition, files: Files) -> Callable[[Facts], bool]:
    """The contract's own `holds`."""
    expressions: dict[str, Callable[[bytes], bool]] = {}

    def matches(pattern: str, text: bytes) -> bool:
        if pattern not in expressions:
            expressions[pattern] = regex.compiled(pattern)
        return expressions[pattern](text)

    def check(facts: Facts) -> bool:
        around = Surroundings(
            facts.now_s,
            matches,
            lambda name, text: text in files.ids(name),
            lambda name, address: files.places_in(name).of(address),
        )
        return holds(when, facts.lookup, facts.key, around)

    return check


def _key_header(sources: Sequence[StickySource]) -> str:
    return sources[0].name if len(sources) == 1 and sources[0].kind is StickyKind.HEADER else ""


def _key_reader(sources: Sequence[StickySource], name: str) -> Callable[[Values], bytes | None]:
    """The contract's `sticky_key`; one header, which nearly every service has, without the general way round."""
    if not name:
        return lambda values: sticky_key(sources, lambda name: values.get(name, ()))

    def read(values: Values) -> bytes | None:
        texts = values.get(name, ())
        return usable_key(texts[0]) if len(texts) == 1 else None

    return read


@dataclass(slots=True)
class _Group:
    """Tests that one look answers. `wants`: by a term's bit the tests that it needs to hold, and those to fail."""

    tests: dict[_Test, int] = field(default_factory=dict)
    wants: dict[int, tuple[int, int]] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    ask: Ask = lambda _facts: 0

    def want(self, term: int, test: _Test, *, is_held: bool) -> None:
        bit = 1 << self.tests.setdefault(test, len(self.tests))
        held, failed = self.wants.get(term, (0, 0))
        self.wants[term] = (held | bit, failed) if is_held else (held, failed | bit)

    def struck_out(self, facts: Facts) -> int:
        """The terms that the answer contradicts."""
        answer = self.ask(facts)
        struck_out = self.answers.get(answer)
        if struck_out is None:
            struck_out = sum(term for term, (held, failed) in self.wants.items() if held & ~answer or failed & answer)
            if len(self.answers) >= _ANSWERS_KEPT_MAX:
                self.answers.clear()
            self.answers[answer] = struck_out
        return struck_out


class CompiledPolicy:
    """Does not change after it is built, but for what it remembers of answers. `on_token` hears of each token sent."""

    __slots__ = (
        *("_all", "_groups", "_key_of", "_keys", "_of_none", "_of_rules", "_of_tokens", "_on_token", "_places"),
        *("_static", "_to_ask", "key_header", "needs_time", "policy", "salted"),
    )

    def __init__(self, policy: ServicePolicy, files: Files = NO_FILES, on_token: OnToken | None = None) -> None:
        """Raises BadFileError for a file that is not there, BadRegexError."""
        self.policy = policy
        # What stands before a key when it is hashed, and in `x-serinus-key`.
        self.salted = salted_key(policy.salt, b"")
        # The one header that the key stands in; "" where it is read otherwise.
        self.key_header = _key_header(policy.sticky)
        self._key_of = _key_reader(policy.sticky, self.key_header)
        self._on_token = on_token
        self._keys = files.signing_keys(policy.tokens.key_file) if policy.tokens is not None else ()
        self._of_none = rulings_of(policy, None)
        self._of_rules = [rulings_of(policy, rule) for rule in policy.cohorts]
        self._of_tokens: dict[str, Rulings] = {}
        terms: list[tuple[int, Term]] = []
        for place, rule in enumerate(policy.cohorts):
            known = terms_of(rule.when)
            terms += [(place, term) for term in known or ()]
            if known is None:
                terms.append((place, Term(holds=frozenset({_Rule(place, rule.when)}))))  # type: ignore[arg-type]
        self._places = [place for place, _ in terms]
        self._all = (1 << len(terms)) - 1
        by_kind: dict[_Kind, _Group] = {}
        kinds: list[set[_Kind]] = [set() for _ in terms]
        for number, (_, term) in enumerate(terms):
            for tests, is_held in ((term.holds, True), (term.fails, False)):
                for test in tests:
                    kind = _kind_of(test, self.key_header)
                    by_kind.setdefault(kind, _Group()).want(1 << number, test, is_held=is_held)
                    kinds[number].add(kind)
        for kind, group in by_kind.items():
            group.ask = _ask_of(kind, tuple(group.tests), files)
        self.needs_time = bool(self._keys) or any(kind[0] in (_TIME, _RULE) for kind in by_kind)
        order = {kind: at for at, kind in enumerate(sorted(by_kind))}
        self._groups = [by_kind[kind] for kind in order]
        self._static = sum(1 << at for kind, at in order.items() if not kind[-1])
        self._to_ask = [sorted(order[kind] for kind in each) for each in kinds]

    def evaluate(self, values: Values, now_s: int) -> Assignment:
        """The contract's answer. `values`: of each header that is there, and of `:path`, `:method`, `:source`; without
        outer blanks."""
        ruling, key = self.decide(values, now_s)
        hashed, bucket = place_of(self.salted + key) if key is not None else (None, None)
        return Assignment(ruling.cohort, key, hashed, bucket, ruling.pin)

    def decide(self, values: Values, now_s: int) -> tuple[Ruling, bytes | None]:
        """The same in parts: what the request has in common with others, and its key. `now_s` counts if
        `needs_time`."""
        key = self._key_of(values)
        rulings = self._of_none
        if self._keys and TOKEN in values and (forced := self._of_token(values[TOKEN], now_s)) is not None:
            rulings = forced
        elif self._all and (place := self._first(Facts(values, key, now_s), self._all, 0)) is not None:
            rulings = self._of_rules[place]
        return (rulings.with_key if key is not None else rulings.without_key), key

    def foresee(self, values: Values) -> "Foreseen | None":
        """All that does not depend on the key or the time, asked now. None for a request that brings a token."""
        if not self.key_header or (self._keys and TOKEN in values):
            return None
        left, facts = self._all, Facts(values, None, 0)
        for number, group in enumerate(self._groups):
            if self._static >> number & 1 and left:
                left &= ~group.struck_out(facts)
        return Foreseen(self, values, left)

    def decide_foreseen(self, foreseen: "Foreseen", key: bytes, now_s: int) -> Ruling:
        """`decide` of the request with this key instead of the one it had."""
        if not foreseen.left:
            return self._of_none.with_key
        facts = Facts({**foreseen.values, self.key_header: [key]}, key, now_s)
        place = self._first(facts, foreseen.left, self._static)
        return (self._of_rules[place] if place is not None else self._of_none).with_key

    def _of_token(self, sent: Sequence[bytes], now_s: int) -> Rulings | None:
        """Of an accepted token. There are as many as versions in force."""
        claims = claims_of(self._keys, sent[0]) if len(sent) == 1 else None
        result = token_result(self.policy, claims, now_s)
        if self._on_token is not None:
            self._on_token(result)
        if claims is None or result is not TokenResult.ACCEPTED:
            return None
        if claims.version not in self._of_tokens:
            self._of_tokens[claims.version] = rulings_of_token(self.policy, claims)
        return self._of_tokens[claims.version]

    def _first(self, facts: Facts, left: int, asked: int) -> int | None:
        """The place of the first rule that is met, of the terms that are left when those groups have been asked."""
        groups = self._groups
        while left:
            first = left & -left
            term = first.bit_length() - 1
            for number in self._to_ask[term]:
                if not asked >> number & 1:
                    asked |= 1 << number
                    left &= ~groups[number].struck_out(facts)
                    if not left & first:
                        break
            else:
                return self._places[term]
        return None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A request without its key, as far as that decides: the terms that are left."""

    policy: CompiledPolicy
    values: Values
    left: int
