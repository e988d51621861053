"""Where an address is."""

import pytest

from serinus.contract.geo import GeoTest, Place, is_there

ORANGE_COUNTY = Place("US", "NA", ("US-CA", "US-ORC"))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (GeoTest("f", countries=("DE", "US")), True),
        (GeoTest("f", continents=("EU",)), False),
        (GeoTest("f", countries=("DE",), continents=("NA",)), True),
        (GeoTest("f", regions=("US-ORC",)), True),
        (GeoTest("f", regions=("US-NV",)), False),
    ],
)
def test_any_of_what_is_named(test: GeoTest, expected: bool) -> None:
    assert is_there(test, ORANGE_COUNTY) is expected


def test_what_is_not_known_is_nowhere() -> None:
    assert not is_there(GeoTest("f", countries=("DE",)), None)
    assert not is_there(GeoTest("f", countries=("DE",)), Place())
