"""A service's policy, compiled once: the contract's `evaluate`, at a cost that hardly grows with the rules.

Each rule is taken apart into terms (`terms.py`), and all terms stand as bits of one number, in the order of the rules.
The plain tests are gathered into groups that one look answers (`groups.py`); each answer strikes out the terms that it
contradicts. Headers are asked first; then the first term that is still there says which group to ask next, the cheapest
first, until a term has nothing left to be asked: its rule is the first that is met. So a group is asked at most
once a request, and only if the outcome can depend on it: cookies, query, address, lists and shares mostly are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from extproc.cohort.facts import Facts
from extproc.cohort.files import Files
from extproc.cohort.groups import Group, Kind, Rule, ask_of, is_timed, kind_of, look_of
from extproc.cohort.ruling import Ruling, Rulings, rulings_of, rulings_of_token
from extproc.cohort.slicing import Slicing
from extproc.cohort.terms import Term, terms_of
from serinus.contract.bucket import place_of, salted_key
from serinus.contract.headers import TOKEN
from serinus.contract.policy import Assignment, ServicePolicy, token_result
from serinus.contract.request import StickyKind, StickySource, sticky_key, usable_key
from serinus.contract.token import TokenResult, claims_of

# Of a shape. Rules about parts of keys have few answers, unless somebody plays with them.
_SEEN_MAX = 64
NO_FILES = Files()
OnToken = Callable[[TokenResult], None]
Values = Mapping[str, Sequence[bytes]]


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


class CompiledPolicy:
    """Does not change after it is built, but for what it remembers of answers. `on_token` hears of each token sent."""

    __slots__ = (
        *("_all", "_groups", "_key_of", "_keys", "_of_none", "_of_rules", "_of_tokens", "_on_token", "_places"),
        *("_slicing", "_static", "_to_ask", "key_header", "needs_time", "policy", "salted"),
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
                terms.append((place, Term(holds=frozenset({Rule(place, rule.when)}))))  # type: ignore[arg-type]
        self._places = [place for place, _ in terms]
        self._all = (1 << len(terms)) - 1
        by_kind: dict[Kind, Group] = {}
        kinds: list[set[Kind]] = [set() for _ in terms]
        for number, (_, term) in enumerate(terms):
            for tests, is_held in ((term.holds, True), (term.fails, False)):
                for test in tests:
                    kind = kind_of(test, self.key_header)
                    by_kind.setdefault(kind, Group()).want(1 << number, test, is_held=is_held)
                    kinds[number].add(kind)
        for kind, group in by_kind.items():
            group.ask = ask_of(kind, tuple(group.tests), files)
            group.look = look_of(kind, tuple(group.tests))
        self._slicing = Slicing(policy, lambda each: CompiledPolicy(each, files)) if policy.slices else None
        self.needs_time = bool(self._keys) or any(map(is_timed, by_kind))
        if self._slicing is not None:
            self.needs_time = self.needs_time or self._slicing.needs_time
        order = {kind: at for at, kind in enumerate(sorted(by_kind))}
        self._groups = [by_kind[kind] for kind in order]
        self._static = sum(1 << at for kind, at in order.items() if not kind[-1])
        self._to_ask = [sorted(order[kind] for kind in each) for each in kinds]

    def evaluate(self, values: Values, now_s: int) -> Assignment:
        """The contract's answer. `values`: of each header that is there, and of `:path`, `:method`, `:source`; without
        outer blanks."""
        ruling, key = self.decide(values, now_s)
        hashed, bucket = place_of(self.salted + key) if key is not None else (None, None)
        return Assignment(ruling.cohort, key, hashed, bucket, ruling.pin, ruling.slices)

    def decide(self, values: Values, now_s: int) -> tuple[Ruling, bytes | None]:
        """The same in parts: what the request has in common with others, and its key. `now_s` counts if
        `needs_time`."""
        key = self._key_of(values)
        rulings = self._of_none
        if self._keys and TOKEN in values and (forced := self._of_token(values[TOKEN], now_s)) is not None:
            rulings = forced
        elif self._all and (place := self._first(Facts(values, key, now_s), self._all, 0)) is not None:
            rulings = self._of_rules[place]
        ruling = rulings.with_key if key is not None else rulings.without_key
        if self._slicing is not None:
            ruling = self._slicing.ruling(ruling, self._slicing.word(values, now_s))
        return ruling, key

    def foreseen_ruling(self, values: Values) -> Ruling | None:
        """What follows whatever the key and the time are; None if they count."""
        foreseen = self.foresee(values)
        return foreseen.settled if foreseen is not None else None

    def foresee(self, values: Values) -> "Foreseen | None":
        """All that does not depend on the key or the time, asked now. None for a request that brings a token."""
        if not self.key_header or (self._keys and TOKEN in values):
            return None
        word = self._slicing.foreseen_word(values) if self._slicing is not None else ""
        if word is None:
            return None
        own_values = dict(values)
        left, facts = self._all, Facts(own_values, None, 0)
        for number, group in enumerate(self._groups):
            if self._static >> number & 1 and left:
                left &= ~group.struck_out(facts)
        first = (left & -left).bit_length() - 1
        settled = None
        if first < 0:
            settled = self._of_none.with_key
        elif all(self._static >> number & 1 for number in self._to_ask[first]):
            settled = self._of_rules[self._places[first]].with_key
        if settled is not None:
            settled = self._sliced(settled, word)
        return Foreseen(self, own_values, facts, left, settled, self._look(left), word)

    def _sliced(self, ruling: Ruling, word: str) -> Ruling:
        return self._slicing.ruling(ruling, word) if self._slicing is not None else ruling

    def _look(self, left: int) -> Callable[[bytes], int] | None:
        """If one look at the key is all that the terms that are left still need: that."""
        numbers: set[int] = set()
        while left:
            numbers.update(self._to_ask[(left & -left).bit_length() - 1])
            left &= left - 1
        dynamic = [self._groups[number] for number in numbers if not self._static >> number & 1]
        return dynamic[0].look if len(dynamic) == 1 else None

    def decide_foreseen(self, foreseen: "Foreseen", key: bytes, now_s: int) -> Ruling:
        """`decide` of the request with this key instead of the one it had. See first whether it is `seen`."""
        foreseen.values[self.key_header] = [key]
        facts = foreseen.facts
        facts.key, facts.now_s = key, now_s
        place = self._first(facts, foreseen.left, self._static)
        ruling = (self._of_rules[place] if place is not None else self._of_none).with_key
        ruling = self._sliced(ruling, foreseen.slices)
        if foreseen.look is not None and len(foreseen.seen) < _SEEN_MAX:
            foreseen.seen[foreseen.look(key)] = ruling
        return ruling

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
    """A request without its key, as far as that decides: the terms that are left, or the ruling if nothing else counts.
    `values` and the `facts` of them are its own: what depends on the key is set anew for each key.
    """

    policy: CompiledPolicy
    values: dict[str, Sequence[bytes]]
    facts: Facts
    left: int
    settled: Ruling | None
    # One look at the key that decides, and what followed from its answers.
    look: Callable[[bytes], int] | None
    slices: str = ""
    seen: dict[int, Ruling] = field(default_factory=dict)
