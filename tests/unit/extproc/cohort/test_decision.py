"""The compiled policy gives the answer of the contract's `evaluate`, whatever the policy and the request."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.cohort import regex
from extproc.cohort.decision import NO_FILES, CompiledPolicy
from extproc.cohort.errors import BadFileError
from extproc.cohort.files import Files
from serinus.contract.condition import AllOf, AnyOf, Not, Op, ShareTest, Source, Surroundings, TextTest
from serinus.contract.geo import GeoTest
from serinus.contract.policy import Assignment, CohortRule, ServicePolicy, TokenPolicy, evaluate
from serinus.contract.token import Claims, TokenResult, claims_of, mint
from tests.unit.extproc.cohort.drawn_policies import FILES, IDS, PLACES, POLICIES, REQUESTS, STICKY


@settings(deadline=None, max_examples=500)
@given(policy=POLICIES, values=REQUESTS, now_s=st.integers(0, 2_000_000))
def test_compiled_and_reference_agree(policy: ServicePolicy, values: Mapping[str, Sequence[bytes]], now_s: int) -> None:
    around = Surroundings(
        now_s,
        regex.matches,
        lambda _, text: text.decode("utf-8", "replace") in IDS,
        lambda _, address: PLACES.of(address),
    )
    expected = evaluate(policy, lambda name: values.get(name, ()), around)
    assert CompiledPolicy(policy, FILES).evaluate(values, now_s) == expected


def test_the_first_rule_that_is_met_wins_however_it_is_found() -> None:
    """Rule 0 is tried, rule 1 looked up with something that remains, rule 2 looked up."""
    present = TextTest(Source.HEADER, "h1", Op.PRESENT)
    rules = (
        CohortRule("tried", Not(present)),
        CohortRule("remains", AllOf((TextTest(Source.HEADER, "h1", Op.EXACT, ("a",)), ShareTest(10_000, "s")))),
        CohortRule("sure", TextTest(Source.HEADER, "h1", Op.PREFIX, ("a",))),
    )
    policy = CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, rules))
    assert policy.evaluate({"x-user": [b"u"]}, 0).cohort == "tried"
    assert policy.evaluate({"x-user": [b"u"], "h1": [b"a"]}, 0).cohort == "remains"
    assert policy.evaluate({"h1": [b"a"]}, 0).cohort == "sure", "without a key there is no share"
    assert policy.evaluate({"x-user": [b"u"], "h1": [b"b"]}, 0).cohort == "everyone"


def test_a_policy_whose_list_is_not_loaded_is_not_compiled() -> None:
    rule = CohortRule("gold", TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)))
    with pytest.raises(BadFileError, match="'ids' is not loaded"):
        CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, (rule,)))


TOKENS = TokenPolicy("testers.key", ("v1", "v2"))
KEY = b"k" * 32
CLAIMS = Claims("chat", "v2", "ada", 1_000, 4_600)
EXCLUDED = CohortRule("out", TextTest(Source.HEADER, "h1", Op.PRESENT), "v1")
WITH_TOKENS = ServicePolicy("chat", "r1", "v1", STICKY, (EXCLUDED,), tokens=TOKENS)


def _tokens(tokens: Sequence[str | bytes], now_s: int = 2_000) -> tuple[Assignment, list[TokenResult]]:
    heard: list[TokenResult] = []
    compiled = CompiledPolicy(WITH_TOKENS, Files(keys={"testers.key": (KEY,)}), heard.append)
    values = {"x-user": [b"u"], "h1": [b"a"]}
    sent = [each.encode() if isinstance(each, str) else each for each in tokens]
    if sent:
        values["serinus-token"] = sent
    got = compiled.evaluate(values, now_s)
    around = Surroundings(now_s, claims_of=lambda _, token: claims_of((KEY,), token))
    assert got == evaluate(WITH_TOKENS, lambda name: values.get(name, ()), around), "the contract says the same"
    return got, heard


def test_a_token_pins_its_version_whatever_the_rules_say() -> None:
    got, heard = _tokens([mint(KEY, CLAIMS)])
    assert (got.cohort, got.pin, heard) == ("token", "v2", [TokenResult.ACCEPTED])
    assert got.bucket is not None


@pytest.mark.parametrize(
    ("tokens", "now_s", "result"),
    [
        ([mint(b"o" * 32, CLAIMS)], 2_000, TokenResult.FORGED),
        (["anything"], 2_000, TokenResult.FORGED),
        ([b"\xff" * 60_000], 2_000, TokenResult.FORGED),
        ([mint(KEY, CLAIMS), mint(KEY, CLAIMS)], 2_000, TokenResult.FORGED),
        ([mint(KEY, CLAIMS)], 9_000, TokenResult.EXPIRED),
        ([mint(KEY, replace(CLAIMS, service="talk"))], 2_000, TokenResult.FOREIGN),
        ([mint(KEY, replace(CLAIMS, version="v9"))], 2_000, TokenResult.FOREIGN),
    ],
    ids=["another key", "no token", "60 KB", "two", "expired", "another service", "a version not in force"],
)
def test_any_other_token_is_counted_and_has_no_effect(
    tokens: list[str | bytes], now_s: int, result: TokenResult
) -> None:
    got, heard = _tokens(tokens, now_s)
    assert heard == [result]
    assert got == _tokens([])[0]


def test_where_a_service_takes_no_tokens_one_is_not_looked_at() -> None:
    values = {"x-user": [b"u"], "serinus-token": [mint(KEY, CLAIMS).encode()]}
    compiled = CompiledPolicy(replace(WITH_TOKENS, tokens=None), NO_FILES, pytest.fail)
    assert compiled.evaluate(values, 2_000).cohort == "everyone"


def test_a_policy_whose_key_file_or_places_are_not_loaded_is_not_compiled() -> None:
    with pytest.raises(BadFileError, match=r"'testers\.key' is not loaded"):
        CompiledPolicy(WITH_TOKENS)
    geo = CohortRule("eu", GeoTest("geo.mmdb", continents=("EU",)))
    with pytest.raises(BadFileError, match=r"'geo\.mmdb' is not loaded"):
        CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, (geo,)))


def test_a_rule_of_too_many_alternatives_is_tried_as_it_stands() -> None:
    """Three times five alternatives of two make 125."""
    either = [AnyOf(tuple(TextTest(Source.HEADER, f"h{n}{m}", Op.REGEX, ("a+",)) for n in range(5))) for m in range(3)]
    in_file = TextTest(Source.KEY, "", Op.IN_FILE, ("ids",))
    place = GeoTest("geo.mmdb", countries=("DE",))
    rules = (CohortRule("many", AllOf((*either, in_file, place))), CohortRule("next", Not(place)))
    compiled = CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, rules), FILES)
    values = {"h00": [b"aa"], "h11": [b"a"], "h42": [b"aaa"], "x-user": [b"u1"], ":source": [b"10.0.0.1:1"]}
    assert compiled.evaluate(values, 0).cohort == "many"
    assert compiled.evaluate({**values, "h42": [b"b"]}, 0).cohort == "everyone"
    assert compiled.evaluate({**values, ":source": [b"11.0.0.1:1"]}, 0).cohort == "next"


def test_what_is_remembered_of_answers_is_bounded() -> None:
    """A client may make up as many answers as there are sets of prefixes."""
    rules = tuple(
        CohortRule(f"c{number}", TextTest(Source.HEADER, f"h{number}", Op.EXACT, ("1",))) for number in range(12)
    )
    compiled = CompiledPolicy(ServicePolicy("chat", "r1", "v1", STICKY, rules))
    for chosen in range(1, 1 << 12):
        values = {f"h{number}": [b"1"] for number in range(12) if chosen >> number & 1}
        first = (chosen & -chosen).bit_length() - 1
        assert compiled.evaluate(values, 0).cohort == f"c{first}"
    assert max(len(group.answers) for group in compiled._groups) <= 1_024
