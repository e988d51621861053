"""Tests of one text: exactly one operator, and what each means to the contract."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.text_match import HeaderMatchSpec, NamedMatch, TextMatch
from serinus.contract.condition import Condition, ModuloTest, Op, Source, TextTest


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"exact": "a"}, TextTest(Source.PATH, "", Op.EXACT, ("a",))),
        ({"in": ["a", "b"]}, TextTest(Source.PATH, "", Op.IN, ("a", "b"))),
        ({"in_file": "ids.txt"}, TextTest(Source.PATH, "", Op.IN_FILE, ("ids.txt",))),
        ({"present": True}, TextTest(Source.PATH, "", Op.PRESENT)),
        ({"modulo": {"of": 10, "is": [0, 9]}}, ModuloTest(Source.PATH, "", 10, (0, 9))),
    ],
)
def test_an_operator_has_its_form_in_the_contract(written: object, expected: Condition) -> None:
    assert TextMatch.model_validate(written).test(Source.PATH) == expected


@pytest.mark.parametrize("written", [{}, {"exact": "a", "prefix": "b"}])
def test_a_match_has_one_operator(written: object) -> None:
    with pytest.raises(ValidationError, match="exactly one of exact"):
        TextMatch.model_validate(written)


@pytest.mark.parametrize("name", ["../ids", "a/b", ".hidden", ""])
def test_a_list_is_a_file_of_the_folder(name: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        TextMatch.model_validate({"in_file": name})


def test_headers_have_no_case_and_cookies_have_one() -> None:
    assert HeaderMatchSpec.model_validate({"name": "X-Team", "exact": "a"}).name == "x-team"
    assert NamedMatch.model_validate({"name": "Plan", "exact": "a"}).name == "Plan"
