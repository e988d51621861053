"""A service's policy, compiled once: the contract's `evaluate`, at a cost that hardly grows with the rules.

Rules that begin with a plain test of a text (exact, one of, prefix, suffix, present; alone, in `any`, or as one part of
`all`) are found by looking the text up, not by trying them one by one: one lookup for each header that the request has
and some rule names. What remains of a rule, and rules that begin with nothing of the kind, are tried in order, up to
the first that is surely met. Cookies, query and address are read once a request, and only if a rule gets that far.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from extproc.cohort.checks import Check, Facts, check_of
from extproc.cohort.idlist import IdList
from serinus.contract.condition import AllOf, AnyOf, Condition, Op, Source, TextTest
from serinus.contract.policy import Assignment, ServicePolicy, assigned
from serinus.contract.request import sticky_key

# A rule by its place in the policy, and what remains to be tested (None: nothing, the rule is met).
Entry = tuple[int, Check | None]
Lists = Mapping[str, IdList]
_LOOKED_UP = frozenset({Op.EXACT, Op.IN, Op.PREFIX, Op.SUFFIX, Op.PRESENT})


@dataclass(slots=True)
class _TextIndex:
    """The rules that begin with a test of one text. Affixes are kept by length: a lookup for each length."""

    exact: dict[bytes, list[Entry]] = field(default_factory=dict)
    prefixes: dict[int, dict[bytes, list[Entry]]] = field(default_factory=dict)
    suffixes: dict[int, dict[bytes, list[Entry]]] = field(default_factory=dict)
    present: list[Entry] = field(default_factory=list)

    def add(self, test: TextTest, entry: Entry) -> None:
        for operand in map(str.encode, test.operands):
            match test.op:
                case Op.PREFIX if operand:
                    self.prefixes.setdefault(len(operand), {}).setdefault(operand, []).append(entry)
                case Op.SUFFIX if operand:
                    self.suffixes.setdefault(len(operand), {}).setdefault(operand, []).append(entry)
                case Op.PREFIX | Op.SUFFIX:
                    self.present.append(entry)
                case _:
                    self.exact.setdefault(operand, []).append(entry)
        if test.op is Op.PRESENT:
            self.present.append(entry)

    def entries(self, text: bytes) -> Iterable[Entry]:
        found = self.exact.get(text)
        if not (self.prefixes or self.suffixes or self.present):
            return found or ()
        together = [*(found or ()), *self.present]
        for length, prefixes in self.prefixes.items():
            together += prefixes.get(text[:length], ())
        for length, suffixes in self.suffixes.items():
            together += suffixes.get(text[-length:], ())
        return together


class CompiledPolicy:
    """Immutable after it is built."""

    __slots__ = ("_by_header", "_by_text", "_in_order", "_rules", "policy")

    def __init__(self, policy: ServicePolicy, lists: Lists) -> None:
        """Raises BadListError for a list that is not there, BadRegexError."""
        self.policy = policy
        self._rules = policy.cohorts
        self._by_header: dict[str, _TextIndex] = {}
        self._by_text: dict[tuple[Source, str], _TextIndex] = {}
        self._in_order: list[tuple[int, Check]] = []
        for place, rule in enumerate(policy.cohorts):
            starts = _starts(rule.when)
            if starts is None:
                self._in_order.append((place, check_of(rule.when, lists)))
                continue
            for test, rest in starts:
                self._index(test).add(test, (place, check_of(rest, lists) if rest is not None else None))

    def _index(self, test: TextTest) -> _TextIndex:
        if test.source is Source.HEADER:
            return self._by_header.setdefault(test.name, _TextIndex())
        return self._by_text.setdefault((test.source, test.name), _TextIndex())

    def evaluate(self, values: Mapping[str, Sequence[bytes]], now_s: int) -> Assignment:
        """`values`: of each header that is there, and of `:path`, `:method`, `:source`; without outer blanks."""
        policy = self.policy
        key = sticky_key(policy.sticky, lambda name: values.get(name, ()))
        if not self._rules:
            return assigned(policy, key, None)
        place = self._first(Facts(values, key, now_s))
        return assigned(policy, key, self._rules[place] if place is not None else None)

    def _first(self, facts: Facts) -> int | None:
        """The place of the first rule that is met."""
        best, tried = len(self._rules), self._in_order
        found = self._found(facts)
        for place, check in found:
            if check is None and place < best:
                best = place
        started = [(place, check) for place, check in found if check is not None and place < best]
        if started:
            tried = sorted((*tried, *started), key=itemgetter(0))
        for place, check in tried:
            if place >= best:
                break
            if check(facts):
                return place
        return best if best < len(self._rules) else None

    def _found(self, facts: Facts) -> list[Entry]:
        """Of the rules that begin with a text's test: those whose test holds."""
        found: list[Entry] = []
        by_header, values = self._by_header, facts.values
        for name in by_header.keys() & values.keys():
            texts = values[name]
            if texts:
                found += by_header[name].entries(texts[0] if len(texts) == 1 else b",".join(texts))
        for (source, name), index in self._by_text.items():
            text = facts.text(source, name)
            if text is not None:
                found += index.entries(text)
        return found


def _starts(condition: Condition) -> list[tuple[TextTest, Condition | None]] | None:
    """The tests by which a condition can be looked up, and what remains after each; None if it has no such start."""
    match condition:
        case TextTest() if condition.op in _LOOKED_UP:
            return [(condition, None)]
        case AnyOf(parts):
            either = [_starts(part) for part in parts]
            if any(starts is None for starts in either):
                return None
            return [start for starts in either for start in starts or ()]
        case AllOf(parts):
            for place, part in enumerate(parts):
                starts = _starts(part)
                if starts is not None:
                    others = parts[:place] + parts[place + 1 :]
                    return [(test, _both(rest, others)) for test, rest in starts]
    return None


def _both(rest: Condition | None, others: tuple[Condition, ...]) -> Condition | None:
    parts = others if rest is None else (rest, *others)
    if len(parts) <= 1:
        return parts[0] if parts else None
    return AllOf(parts)
