"""The plain tests of a policy in groups that one look answers, and how dear each look is.

A group's answer strikes out the terms that it contradicts. Groups of which the answer depends on the sticky key or on
the time are kept apart from the others, which answer alike for all users who differ by their key alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from extproc.cohort import asks, regex
from extproc.cohort.asks import Ask
from extproc.cohort.facts import Facts
from extproc.cohort.files import Files
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

# What one group has answered so far, and what follows: answers repeat. A policy has a few hundred of them at most,
# unless somebody plays with prefixes.
_ANSWERS_KEPT_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Rule:
    """Stands for a whole rule that has too many alternatives."""

    place: int
    when: Condition


Test = Condition | Rule
# Cheapest first; then what tells the groups of one kind apart.
Kind = tuple[int, str, str, str, bool]
_TEXTS = {Source.HEADER: 0, Source.METHOD: 1, Source.KEY: 2, Source.PATH: 3, Source.QUERY: 8, Source.COOKIE: 9}
_TIME, _REGEX, _ADDRESS, _PLACE, _LIST, _SHARE, _RULE = 4, 5, 6, 7, 10, 11, 12


def kind_of(test: Test, key_header: str) -> Kind:
    """Tests of one kind make a group. The sticky key stands in `key_header`, if it stands in one header."""
    return *_sort_of(test), _is_dynamic(test, key_header)


def _sort_of(test: Test) -> tuple[int, str, str, str]:
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
        case Rule(place):
            return _RULE, f"{place:04}", "", ""
    raise AssertionError(f"{test} is no plain test")


def _is_dynamic(test: Test, key_header: str) -> bool:
    """Whether the answer can be another for a request that differs by its key alone, or comes later."""
    match test:
        case TextTest(source, name) | ModuloTest(source, name):
            return source is Source.KEY or (source is Source.HEADER and name == key_header)
        case ShareTest() | TimeTest() | Rule():
            return True
    return False


def ask_of(kind: Kind, tests: Sequence[Test], files: Files) -> Ask:
    """Raises BadFileError for a file that is not there, BadRegexError."""
    match tests[0]:
        case TextTest(source, name, Op.REGEX):
            return asks.ask_regexes(source, name, [test for test in tests if isinstance(test, TextTest)])
        case TextTest(source, name, Op.IN_FILE, operands):
            return asks.ask_list(source, name, files.ids(operands[0]))
        case TextTest(source) | ModuloTest(source):
            texts = [test for test in tests if isinstance(test, TextTest | ModuloTest)]
            return asks.ask_texts(source, texts, repeats=not kind[-1])
        case AddressTest():
            return asks.ask_networks([test for test in tests if isinstance(test, AddressTest)])
        case GeoTest(file):
            return asks.ask_places(files.places_in(file), [test for test in tests if isinstance(test, GeoTest)])
        case TimeTest():
            return asks.ask_times([test for test in tests if isinstance(test, TimeTest)])
        case ShareTest():
            return asks.ask_shares([test for test in tests if isinstance(test, ShareTest)])
        case Rule(_, when):
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


def look_of(kind: Kind, tests: Sequence[Test]) -> Callable[[bytes], int] | None:
    """A group's answer by the key alone, if it tests the header that holds it."""
    if kind[0] != _TEXTS[Source.HEADER] or not kind[-1]:
        return None
    return asks.tests_of_key([test for test in tests if isinstance(test, TextTest | ModuloTest)])


def is_timed(kind: Kind) -> bool:
    """Whether the time counts, or may."""
    return kind[0] in (_TIME, _RULE)


@dataclass(slots=True)
class Group:
    """Tests that one look answers. `wants`: by a term's bit the tests that it needs to hold, and those to fail."""

    tests: dict[Test, int] = field(default_factory=dict)
    wants: dict[int, tuple[int, int]] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    ask: Ask = lambda _facts: 0
    look: Callable[[bytes], int] | None = None

    def want(self, term: int, test: Test, *, is_held: bool) -> None:
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
