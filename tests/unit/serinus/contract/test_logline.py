import pytest

from serinus.contract.logline import OWN, SHARED, line_format, values_of

FORMATS = {name: f"%{name.upper()}%" for name in (*SHARED, *OWN)}


def test_a_line_says_what_many_requests_share_and_then_what_is_the_requests_own() -> None:
    blank, shared, *own = line_format(FORMATS).split("\t")
    assert blank == ""
    assert shared.split(" ")[:2] == ["%SERVICE%", "%ROLLOUT%"]
    assert (own[0], own[-1]) == ("%BUCKET%", "%REQUEST_ID%")


def test_what_was_written_is_read_under_the_same_names() -> None:
    assert values_of(line_format(FORMATS)) == FORMATS


def test_a_value_that_envoy_does_not_have_is_empty() -> None:
    assert values_of(line_format(FORMATS | {"rollout": "", "bucket": ""}))["rollout"] == ""


def test_the_key_alone_may_contain_blanks_and_tabs() -> None:
    found = values_of(line_format(FORMATS | {"key": "r1:a b\tc "}))
    assert (found["bucket"], found["key"], found["start_us"]) == ("%BUCKET%", "r1:a b\tc ", "%START_US%")


@pytest.mark.parametrize("line", ["", "\ta b\tc", "\t" + " ".join(SHARED), "\t" + line_format(FORMATS)])
def test_a_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of either cause
        values_of(line)
