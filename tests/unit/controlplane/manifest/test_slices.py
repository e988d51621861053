"""Slices as a manifest says them."""

import re

import pytest

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.schema import ServiceSpec
from controlplane.snapshot.datapath import choose
from controlplane.snapshot.filters import policy_headers
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.slices import COMBINATIONS_MAX, SliceDimension, SliceValue
from tests.unit.controlplane.manifest.samples import SERVICE


def service(slices: str) -> ServiceSpec:
    (manifest,) = load([("s.yaml", f"{SERVICE}  slices: {slices}\n")])
    assert isinstance(manifest.spec, ServiceSpec)
    return manifest.spec


def test_a_header_with_its_values_is_a_dimension() -> None:
    (slices,) = service("[{by: region, header: X-Region, in: [eu, us]}]").slices
    tests = [TextTest(Source.HEADER, "x-region", Op.EXACT, (name,)) for name in ("eu", "us")]
    assert slices.dimension("chat") == SliceDimension(
        "region", (SliceValue("eu", tests[0]), SliceValue("us", tests[1]))
    )


def test_matches_of_the_cohorts_kind_are_a_dimension() -> None:
    spec = service("[{by: device, values: [{name: phone, match: {header: {name: user-agent, regex: '.*Mobile.*'}}}]}]")
    (value,) = spec.slices[0].dimension("chat").values
    assert value.name == "phone"
    assert value.when == TextTest(Source.HEADER, "user-agent", Op.REGEX, (".*Mobile.*",))


@pytest.mark.parametrize("limit", [1, 2, 9, 10, 11, 99, 100, 105, 1_000, 1_234, 20_500])
def test_a_body_is_under_a_limit_exactly_if_it_is_shorter(limit: int) -> None:
    (value,) = service(f"[{{by: prompt, body_bytes: [{limit}]}}]").slices[0].dimension("chat").values
    assert value.name == f"under-{limit}"
    assert isinstance(value.when, TextTest)
    (pattern,) = value.when.operands
    lengths = [*range(min(limit + 200, 3_000)), limit - 1, limit, limit + 1, 10 * limit]
    assert all((re.fullmatch(pattern, str(length)) is not None) == (length < limit) for length in lengths)


def test_what_slices_read_is_sent_to_the_sidecar_and_keeps_it_in_the_path() -> None:
    spec = service("[{by: region, header: x-region, in: [eu]}, {by: prompt, body_bytes: [1000]}]")
    assert {"x-region", "content-length"} <= policy_headers(spec)
    assert choose(spec).reason == "slices are told by the sidecar"


@pytest.mark.parametrize(
    ("slices", "words"),
    [
        ("[{by: region}]", "exactly one of"),
        ("[{by: region, header: x-region}]", "exactly one of"),
        ("[{by: region, in: [eu]}]", "exactly one of"),
        ("[{by: region, header: x-region, in: [eu], body_bytes: [5]}]", "exactly one of"),
        ("[{by: region, header: x-region, in: [eu, eu]}]", "slice eu stands twice"),
        ("[{by: region, header: x-region, in: [other]}]", "other is a reserved name"),
        ("[{by: cohort, header: x-region, in: [eu]}]", "already"),
        ("[{by: prompt, body_bytes: [10, 10]}]", "must rise"),
        ("[{by: prompt, body_bytes: [0]}]", "greater than or equal to 1"),
        ("[{by: a, body_bytes: [1]}, {by: a, body_bytes: [2]}]", "a dimension stands twice"),
        (
            "[{by: a, body_bytes: [1, 2, 3, 4, 5, 6, 7]}, {by: b, body_bytes: [1, 2, 3, 4, 5, 6, 7, 8]}]",
            "72 combinations",
        ),
        ("[" + ", ".join(f"{{by: d{n}, body_bytes: [1]}}" for n in range(5)) + "]", "at most 4"),
    ],
)
def test_slices_that_cannot_be_are_refused_with_what_is_wrong(slices: str, words: str) -> None:
    with pytest.raises(ManifestError) as error:
        service(slices)
    assert words in "\n".join(problem.message for problem in error.value.problems)


def test_as_many_combinations_as_there_may_be() -> None:
    assert COMBINATIONS_MAX == 64
    service("[{by: a, body_bytes: [1, 2, 3, 4, 5, 6, 7]}, {by: b, body_bytes: [1, 2, 3, 4, 5, 6, 7]}]")
