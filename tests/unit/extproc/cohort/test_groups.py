import pytest

from extproc.cohort.facts import Facts
from extproc.cohort.files import Files
from extproc.cohort.groups import Group, Rule, ask_of, is_timed, kind_of
from serinus.contract.condition import ModuloTest, Not, Op, ShareTest, Source, TextTest, TimeTest

ML = TextTest(Source.HEADER, "x-team", Op.EXACT, ("ml",))
US = TextTest(Source.HEADER, "x-region", Op.PREFIX, ("us-",))
COMPANY = TextTest(Source.HEADER, "x-user", Op.SUFFIX, ("@example.com",))


def test_all_headers_are_one_group_but_the_one_that_holds_the_key() -> None:
    assert kind_of(ML, "x-user") == kind_of(US, "x-user")
    assert kind_of(COMPANY, "x-user") != kind_of(ML, "x-user")
    assert kind_of(COMPANY, "") == kind_of(ML, ""), "the key is read elsewhere"


@pytest.mark.parametrize(
    ("test", "is_dynamic"),
    [
        (ML, False),
        (COMPANY, True),
        (TextTest(Source.KEY, "", Op.EXACT, ("u1",)), True),
        (TextTest(Source.PATH, "", Op.PREFIX, ("/v1",)), False),
        (TextTest(Source.HEADER, "x-user", Op.REGEX, ("a.*",)), True),
        (TextTest(Source.HEADER, "x-user", Op.IN_FILE, ("ids",)), True),
        (ModuloTest(Source.HEADER, "x-user", 5, (1,)), True),
        (ModuloTest(Source.HEADER, "x-team", 5, (1,)), False),
        (ShareTest(100, "s"), True),
        (TimeTest(None, 5, (), 0, 0), True),
        (Rule(0, Not(ML)), True),
    ],
)
def test_what_may_answer_otherwise_for_another_key_or_later_is_told(test: object, is_dynamic: bool) -> None:
    assert kind_of(test, "x-user")[-1] is is_dynamic  # type: ignore[arg-type]


def test_the_time_counts_for_windows_and_may_for_whole_rules() -> None:
    assert is_timed(kind_of(TimeTest(None, 5, (), 0, 0), ""))
    assert is_timed(kind_of(Rule(0, ML), ""))
    assert not is_timed(kind_of(ML, ""))


def test_an_answer_strikes_out_the_terms_that_it_contradicts() -> None:
    group = Group()
    group.want(1, ML, is_held=True)
    group.want(2, ML, is_held=False)
    group.want(4, US, is_held=True)
    group.ask = ask_of(kind_of(ML, ""), tuple(group.tests), Files())
    assert group.struck_out(Facts({"x-team": [b"ml"]}, None, 0)) == 2 | 4
    assert group.struck_out(Facts({"x-region": [b"us-1"]}, None, 0)) == 1
    assert group.struck_out(Facts({}, None, 0)) == 1 | 4
