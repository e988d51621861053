"""A request's slices as one word."""

import pytest

from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.policy import ServicePolicy, evaluate
from serinus.contract.request import StickyKind, StickySource
from serinus.contract.slices import SliceDimension, SliceValue, values_in, word_of


def test_a_word_is_read_back_as_it_was_written() -> None:
    values = {"region": "eu-west", "device": "other"}
    assert word_of(values) == "region=eu-west,device=other"
    assert values_in(word_of(values)) == values
    assert word_of({}) == ""
    assert values_in("") == {}


@pytest.mark.parametrize("word", ["region", "=eu", "region=", ",,", "=", ",=,"])
def test_what_is_no_such_word_says_nothing(word: str) -> None:
    assert values_in(word) == {}


def test_the_first_value_that_holds_is_the_requests_else_other() -> None:
    def header(value: str) -> TextTest:
        return TextTest(Source.HEADER, "x-region", Op.PREFIX, (value,))

    region = SliceDimension("region", (SliceValue("east", header("eu-east")), SliceValue("eu", header("eu"))))
    key = SliceDimension("key", (SliceValue("some", TextTest(Source.KEY, "", Op.PRESENT)),))
    policy = ServicePolicy("chat", "s", "v1", (StickySource(StickyKind.HEADER, "x-user"),), slices=(region, key))

    def slices(**headers: bytes) -> str:
        sent = {name.replace("_", "-"): [value] for name, value in headers.items()}
        return evaluate(policy, lambda name: sent.get(name, ())).slices

    assert slices(x_region=b"eu-east-1", x_user=b"u") == "region=east,key=some"
    assert slices(x_region=b"eu-west", x_user=b"u") == "region=eu,key=some"
    assert slices(x_region=b"us") == "region=other,key=other"
