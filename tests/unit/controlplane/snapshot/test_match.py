"""Header matchers and hash policies."""

import re

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.manifest import regex
from controlplane.manifest.cohort import CohortMatch
from controlplane.snapshot.match import equals, hash_by, is_absent, is_not_empty, is_present, native
from serinus.contract.bucket import key_hash
from serinus.contract.condition import Condition, Surroundings
from serinus.contract.condition import holds as meets
from serinus.envoywire.route_pb2 import HeaderMatcher, RouteAction
from tests.unit.controlplane.snapshot.envoy_model import hash_of, holds

Headers = dict[str, list[bytes]]


def _holds(matcher: HeaderMatcher, headers: Headers) -> bool:
    return holds(route_v3.HeaderMatcher.parse(matcher.SerializeToString()), headers)


_AROUND = Surroundings(regex=regex.matches)


def _condition(match: object) -> Condition:
    return CohortMatch.model_validate(match).condition("chat/c")


def _holds_natively(condition: Condition, headers: Headers) -> bool:
    ways = native(condition)
    assert ways is not None
    return any(all(_holds(matcher, headers) for matcher in way) for way in ways)


def _policy(policy: RouteAction.HashPolicy) -> route_v3.RouteActionHashPolicy:
    return route_v3.RouteActionHashPolicy.parse(policy.SerializeToString())


_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)


def test_present_absent_and_not_empty() -> None:
    for headers, expected in [({}, (False, True, False)), ({"k": [b""]}, (True, False, False))]:
        assert tuple(_holds(make("k"), headers) for make in (is_present, is_absent, is_not_empty)) == expected
    assert _holds(is_not_empty("k"), {"k": [b"u"]})
    assert _holds(equals("k", "u"), {"k": [b"u"]})


_NATIVE = ["exact", "prefix", "suffix", "in", "present", "regex"]


@settings(deadline=None)
@given(rule=st.sampled_from(_NATIVE), wanted=st.lists(_TEXT, min_size=1, max_size=3), value=st.data())
def test_a_native_cohort_test_holds_exactly_when_the_policy_does(
    rule: str, wanted: list[str], value: st.DataObject
) -> None:
    """The untagged route must catch whom the sidecar would have pinned, and nobody else."""
    sent = value.draw(st.lists(st.one_of(st.sampled_from(wanted), _TEXT), max_size=2))
    operand = {"in": wanted, "present": True, "regex": f"(?:{re.escape(wanted[0])}|a+)?"}.get(rule, wanted[0])
    condition = _condition({"header": {"name": "x-tier", rule: operand}})
    headers = {"x-tier": [text.encode() for text in sent]} if sent else {}
    assert _holds_natively(condition, headers) == meets(condition, lambda name: headers.get(name, []), None, _AROUND)


@settings(deadline=None)
@given(
    match=st.recursive(
        st.builds(
            lambda name, op, value: {"header": {"name": name, op: value}},
            *(
                st.sampled_from(("a", "b")),
                st.sampled_from(("exact", "prefix", "suffix")),
                st.sampled_from(("x", "y", "xy")),
            ),
        ),
        lambda parts: (
            st.builds(
                lambda how, several: {how: several},
                st.sampled_from(("all", "any")),
                st.lists(parts, min_size=1, max_size=3),
            )
            | st.builds(lambda part: {"not": part}, parts)
        ),
        max_leaves=6,
    ),
    headers=st.dictionaries(st.sampled_from(("a", "b")), st.sampled_from(([b""], [b"x"], [b"xy"], [b"y"]))),
)
def test_what_all_any_and_not_make_of_native_tests_is_native_too(match: dict[str, object], headers: Headers) -> None:
    condition = _condition(match)
    assert _holds_natively(condition, headers) == meets(condition, lambda name: headers.get(name, []), None, _AROUND)


@pytest.mark.parametrize(
    "match",
    [
        {"header": {"name": "a", "regex": "[a-z]{100}"}},
        {"header": {"name": "a", "in": [f"{each * 7919:x}" * 3 for each in range(201)]}},
        {"header": {"name": "a", "in": [f"{each * 7919:x}" * 9 for each in range(100)]}},
        {"path": {"suffix": "/chat"}},
        {"path": {"regex": "/v1/.*"}},
        {"path": {"exact": "/v1?a=b"}},
        {"header": {"name": "a", "in_file": "ids"}},
        {"header": {"name": "a", "modulo": {"of": 2, "is": [0]}}},
        {"cookie": {"name": "a", "exact": "x"}},
        {"query": {"name": "a", "exact": "x"}},
        {"key": {"exact": "x"}},
        {"source": {"in": ["10.0.0.0/8"]}},
        {"time": {"days": ["mon"]}},
        {"share": {"of": "10%"}},
        {"not": {"header": {"name": "a", "exact": ""}}},
        {"not": {"header": {"name": "a", "in": ["x", ""]}}},
        {"not": {"header": {"name": "a", "regex": "x*"}}},
        {"not": {"cookie": {"name": "a", "exact": "x"}}},
        {"all": [{"method": {"exact": "GET"}}, {"key": {"exact": "x"}}]},
        {"any": [{"method": {"exact": "GET"}}, {"key": {"exact": "x"}}]},
        {"any": [{"header": {"name": "a", "exact": str(each)}} for each in range(17)]},
        {"all": [{"any": [{"header": {"name": "a", "suffix": each}} for each in "12345"]} for _ in range(2)]},
    ],
    ids=str,
)
def test_what_envoy_cannot_tell_alone_is_not_native(match: dict[str, object]) -> None:
    assert native(_condition(match)) is None


@pytest.mark.parametrize(
    "match",
    [{"path": {"prefix": "/v1"}}, {"path": {"exact": "/v1"}}, {"path": {"present": True}}],
    ids=str,
)
@pytest.mark.parametrize("is_denied", [False, True])
@pytest.mark.parametrize("path", ["/v1", "/v1?a=b", "/v1/chat", "/v2?/v1", "/v1?", "/"])
def test_a_path_is_told_with_its_query_and_without(match: dict[str, object], is_denied: bool, path: str) -> None:
    condition = _condition({"not": match} if is_denied else match)
    headers = {":path": [path.encode()]}
    assert _holds_natively(condition, headers) == meets(condition, lambda name: headers.get(name, []), None, _AROUND)


def test_a_list_takes_as_many_patterns_as_envoy_needs() -> None:
    """One of forty unlike values compiles to more than the hundred instructions that Envoy allows."""
    values = [f"user-{each * 7919 % 1000:03x}" for each in range(40)]
    condition = _condition({"header": {"name": "a", "in": values}})
    ways = native(condition)
    assert ways is not None
    assert 1 < len(ways) <= 16
    for value in [*values, "user-xyz", ""]:
        assert _holds_natively(condition, {"a": [value.encode()]}) == (value in values)
    nobody = _condition({"not": {"header": {"name": "a", "in": values}}})
    assert _holds_natively(nobody, {})
    assert not _holds_natively(nobody, {"a": [values[-1].encode()]})


@pytest.mark.parametrize("affix", ["prefix", "suffix"])
def test_an_empty_affix_is_met_by_any_value(affix: str) -> None:
    condition = _condition({"header": {"name": "x", affix: ""}})
    assert _holds_natively(condition, {"x": [b""]})
    assert not _holds_natively(condition, {})


def test_the_method_is_a_header_to_envoy() -> None:
    condition = _condition({"method": {"in": ["GET", "HEAD"]}})
    assert _holds_natively(condition, {":method": [b"HEAD"]})
    assert not _holds_natively(condition, {":method": [b"POST"]})


@pytest.mark.parametrize("salt", ["r1", "chat-v2.3", r"a\1b"])
def test_a_salted_hash_is_the_hash_of_the_bucket_function(salt: str) -> None:
    assert hash_of([_policy(hash_by("k", salt=salt))], {"k": [b"user-1"]}) == key_hash(salt, b"user-1")


def test_a_terminal_policy_that_finds_its_header_is_the_last() -> None:
    policy = _policy(hash_by("x-serinus-key", terminal=True))
    assert policy.terminal
    assert policy.header is not None
    assert policy.header.regex_rewrite is None
