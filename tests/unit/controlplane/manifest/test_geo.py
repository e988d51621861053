"""`geo`: by a header, or by a file of places."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.cohort import Cohort, CohortMatch
from controlplane.manifest.geo import GeoMatch
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.geo import GeoTest


def test_by_a_header_it_is_a_text_in_capitals_or_small_letters() -> None:
    match = CohortMatch.model_validate({"geo": {"header": "CF-IPCountry", "country": ["DE", "no"]}})
    expected = TextTest(Source.HEADER, "cf-ipcountry", Op.IN, ("DE", "NO", "de", "no"))
    assert match.condition("s") == expected


def test_by_a_file_any_of_what_is_named() -> None:
    match = {"geo": {"file": "GeoLite2-City.mmdb", "country": ["FR"], "continent": ["eu", "AS"], "region": ["US-CA"]}}
    expected = GeoTest("GeoLite2-City.mmdb", ("FR",), ("EU", "AS"), ("US-CA",))
    assert CohortMatch.model_validate(match).condition("s") == expected


@pytest.mark.parametrize(
    ("geo", "says"),
    [
        ({"country": ["DE"]}, "geo needs either `header`"),
        ({"header": "x", "file": "a.mmdb", "country": ["DE"]}, "geo needs either `header`"),
        ({"file": "a.mmdb"}, "geo needs country, continent or region"),
        ({"header": "x", "country": ["AS"], "continent": ["AS"]}, "put two `geo` into `any`"),
        ({"file": "../a.mmdb", "country": ["DE"]}, "String should match pattern"),
        ({"file": "a.mmdb", "country": ["DEU"]}, "'DEU' is not a country of ISO 3166-1"),
        ({"file": "a.mmdb", "country": [1]}, "1 is not a country"),
        ({"file": "a.mmdb", "continent": ["XX"]}, "Input should be 'AF'"),
        ({"file": "a.mmdb", "region": ["CA"]}, "'CA' is not a region of ISO 3166-2"),
        ({"file": "a.mmdb", "country": "DE"}, "valid tuple"),
        ({"file": "a.mmdb", "town": ["Berlin"], "country": ["DE"]}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused(geo: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GeoMatch.model_validate(geo)


def test_the_dump_says_what_was_given_and_is_read_again() -> None:
    cohort = Cohort.model_validate(
        {"name": "c", "match": {"geo": {"file": "a.mmdb", "country": ["DE"]}}, "exclude": True}
    )
    dumped = cohort.model_dump(mode="json", by_alias=True)
    assert dumped["match"] == {"geo": {"file": "a.mmdb", "country": ["DE"]}}
    assert Cohort.model_validate(dumped) == cohort
