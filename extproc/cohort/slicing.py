"""A request's slices: each dimension is a small policy of its own, compiled and asked as the cohorts are.

What stands in no value is `other`. Rulings with slices are made once for each combination that is met, so that the
layer above keeps what it makes of them; there are few (`COMBINATIONS_MAX` for each ruling of the cohorts).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from extproc.cohort.ruling import Ruling
from serinus.contract.policy import CohortRule, ServicePolicy
from serinus.contract.slices import OTHER, word_of

# Rulings of a policy with slices that are kept; past it all are made anew, at 20 us each.
_KEPT_MAX = 4_096
Values = Mapping[str, Sequence[bytes]]


class Decider(Protocol):
    """What a policy without slices decides."""

    def decide(self, values: Values, now_s: int) -> tuple[Ruling, bytes | None]: ...

    def foreseen_ruling(self, values: Values) -> Ruling | None: ...

    needs_time: bool


def policies_of(policy: ServicePolicy) -> list[ServicePolicy]:
    """One for each dimension: its values as cohorts."""
    plain = replace(policy, slices=(), tokens=None, feedback=None)
    return [
        replace(plain, cohorts=tuple(CohortRule(value.name, value.when) for value in dimension.values))
        for dimension in policy.slices
    ]


class Slicing:
    """Of one policy. Mutable: it remembers."""

    __slots__ = ("_deciders", "_known", "_names", "needs_time")

    def __init__(self, policy: ServicePolicy, compiled: Callable[[ServicePolicy], Decider]) -> None:
        self._names = [(dimension.name, {value.name for value in dimension.values}) for dimension in policy.slices]
        self._deciders = [compiled(each) for each in policies_of(policy)]
        self.needs_time = any(each.needs_time for each in self._deciders)
        self._known: dict[tuple[int, str], Ruling] = {}

    def word(self, values: Values, now_s: int) -> str:
        """The slices of a request."""
        return self._word([each.decide(values, now_s)[0] for each in self._deciders])

    def foreseen_word(self, values: Values) -> str | None:
        """The same where neither key nor time can change it; None: ask `word`."""
        rulings = [each.foreseen_ruling(values) for each in self._deciders]
        found = [ruling for ruling in rulings if ruling is not None]
        return self._word(found) if len(found) == len(rulings) else None

    def ruling(self, ruling: Ruling, word: str) -> Ruling:
        """`ruling` with these slices, always the same object."""
        known = self._known.get((id(ruling), word))
        if known is None:
            if len(self._known) >= _KEPT_MAX:
                self._known.clear()
            known = self._known[id(ruling), word] = Ruling(ruling.cohort, ruling.pin, word)
        return known

    def _word(self, rulings: Sequence[Ruling]) -> str:
        of = zip(self._names, rulings, strict=True)
        return word_of({name: ruling.cohort if ruling.cohort in known else OTHER for (name, known), ruling in of})
