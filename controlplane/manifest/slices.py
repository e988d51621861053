"""Slices as a manifest says them: what the requests of a service are told apart by, for evidence that is shown.

A dimension (`by`) has its values in one of three forms: matches of the cohorts' kind; a header and those of its values
that count; limits of the body's length in bytes, which for a prompt is its length class. The rest is `other`.
"""

from math import prod
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controlplane.manifest.cohort import CohortMatch, bounded
from controlplane.manifest.field import HeaderName, Name, Spec, as_tuple
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.headers import COHORT_EVERYONE, COHORT_NO_KEY
from serinus.contract.slices import COMBINATIONS_MAX, DIMENSIONS_MAX, OTHER, VALUES_MAX, SliceDimension, SliceValue

# What the sidecar answers when no value holds.
_RESERVED = frozenset({OTHER, COHORT_EVERYONE, COHORT_NO_KEY})
COHORT = "cohort"
# A body beyond this is refused long before by any model server.
_BYTES_MAX = 10**9


class SliceMatch(Spec):
    """One value, and who it is of."""

    name: Name
    match: Annotated[CohortMatch, BeforeValidator(bounded)]


class Slices(Spec):
    """One dimension."""

    by: Name
    values: Annotated[tuple[SliceMatch, ...], BeforeValidator(as_tuple), Field(max_length=VALUES_MAX)] = ()
    header: HeaderName | None = None
    in_: Annotated[tuple[Name, ...], BeforeValidator(as_tuple), Field(alias="in", max_length=VALUES_MAX)] = ()
    body_bytes: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=1, le=_BYTES_MAX)], ...],
        BeforeValidator(as_tuple),
        Field(max_length=VALUES_MAX),
    ] = ()
    # Sizes are compared value by value: a long prompt with long ones.
    within: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> "Slices":
        if bool(self.values) + bool(self.header) + bool(self.body_bytes) != 1 or bool(self.header) != bool(self.in_):
            raise ValueError(
                "slices need exactly one of `values: [{name, match}]`, `header` with `in: [...]`, `body_bytes: [...]`"
            )
        if any(later <= earlier for earlier, later in zip(self.body_bytes, self.body_bytes[1:], strict=False)):
            raise ValueError("`body_bytes` must rise, for example [1000, 10000]")
        if self.by == COHORT:
            raise ValueError("cohorts with a weight_factor are slices of the dimension `cohort` already")
        names = [value.name for value in self.dimension("").values]
        for name in names:
            if name in _RESERVED or names.count(name) > 1:
                raise ValueError(f"slice {name} {'stands twice' if name not in _RESERVED else 'is a reserved name'}")
        return self

    def dimension(self, service: str) -> SliceDimension:
        """The contract's form."""
        if self.header is not None:
            tests = [(name, TextTest(Source.HEADER, self.header, Op.EXACT, (name,))) for name in self.in_]
            return SliceDimension(self.by, tuple(SliceValue(*each) for each in tests))
        if self.body_bytes:
            return SliceDimension(self.by, tuple(map(_shorter, self.body_bytes)))
        found = tuple(SliceValue(each.name, each.match.condition(f"{service}/{self.by}")) for each in self.values)
        return SliceDimension(self.by, found)


def _shorter(limit: int) -> SliceValue:
    """Bodies of less than so many bytes, by the length that the client states."""
    pattern = "0*(?:" + "|".join(_less(str(limit))) + ")"
    return SliceValue(f"under-{limit}", TextTest(Source.HEADER, "content-length", Op.REGEX, (pattern,)))


def _less(digits: str) -> list[str]:
    """Patterns of all whole numbers below this one, without leading zeros."""
    found = [f"[0-9]{{1,{len(digits) - 1}}}"] if len(digits) > 1 else []
    for at, digit in enumerate(digits):
        lowest = 1 if at == 0 and len(digits) > 1 else 0
        if int(digit) > lowest:
            rest = len(digits) - at - 1
            found.append(f"{digits[:at]}[{lowest}-{int(digit) - 1}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return found


def _few(dimensions: tuple[Slices, ...]) -> tuple[Slices, ...]:
    names = [each.by for each in dimensions]
    if len(names) != len(set(names)):
        raise ValueError("a dimension stands twice")
    combinations = prod(len(each.dimension("").values) + 1 for each in dimensions)
    if combinations > COMBINATIONS_MAX:
        raise ValueError(
            f"{combinations} combinations of slices (`other` among the values of each), at most {COMBINATIONS_MAX}: "
            "each is a row a second and version; next: fewer dimensions or values"
        )
    return dimensions


SliceSpecs = Annotated[
    tuple[Slices, ...], BeforeValidator(as_tuple), Field(max_length=DIMENSIONS_MAX), AfterValidator(_few)
]
