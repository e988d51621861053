"""Header matchers and hash policies."""

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.manifest.schema import HeaderMatchSpec
from controlplane.snapshot.match import equals, hash_by, is_absent, is_not_empty, is_present, meets
from serinus.contract.bucket import key_hash
from serinus.contract.policy import CohortRule, matches
from serinus.envoywire.route_pb2 import HeaderMatcher, RouteAction
from tests.unit.controlplane.snapshot.envoy_model import hash_of, holds

Headers = dict[str, list[bytes]]


def _holds(matcher: HeaderMatcher, headers: Headers) -> bool:
    return holds(route_v3.HeaderMatcher.parse(matcher.SerializeToString()), headers)


def _policy(policy: RouteAction.HashPolicy) -> route_v3.RouteActionHashPolicy:
    return route_v3.RouteActionHashPolicy.parse(policy.SerializeToString())


_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)


def test_present_absent_and_not_empty() -> None:
    for headers, expected in [({}, (False, True, False)), ({"k": [b""]}, (True, False, False))]:
        assert tuple(_holds(make("k"), headers) for make in (is_present, is_absent, is_not_empty)) == expected
    assert _holds(is_not_empty("k"), {"k": [b"u"]})
    assert _holds(equals("k", "u"), {"k": [b"u"]})


@settings(deadline=None)
@given(rule=st.sampled_from(["exact", "prefix", "in"]), wanted=st.lists(_TEXT, min_size=1, max_size=3), value=st.data())
def test_a_native_cohort_test_holds_exactly_when_the_policy_does(
    rule: str, wanted: list[str], value: st.DataObject
) -> None:
    """The untagged route must catch whom the sidecar would have pinned, and nobody else."""
    sent = value.draw(st.lists(st.one_of(st.sampled_from(wanted), _TEXT), max_size=2))
    spec = HeaderMatchSpec.model_validate({"name": "x-tier", rule: wanted if rule == "in" else wanted[0]})
    policy = CohortRule("c", "x-tier", spec.exact, spec.prefix, spec.one_of)
    values = [text.encode() for text in sent]
    headers = {"x-tier": values} if values else {}
    assert _holds(meets(spec), headers) == matches(policy, values)


def test_an_empty_prefix_is_met_by_any_value() -> None:
    matcher = meets(HeaderMatchSpec.model_validate({"name": "x", "prefix": ""}))
    assert _holds(matcher, {"x": [b""]})
    assert not _holds(matcher, {})


@pytest.mark.parametrize("salt", ["r1", "chat-v2.3", r"a\1b"])
def test_a_salted_hash_is_the_hash_of_the_bucket_function(salt: str) -> None:
    assert hash_of([_policy(hash_by("k", salt=salt))], {"k": [b"user-1"]}) == key_hash(salt, b"user-1")


def test_a_terminal_policy_that_finds_its_header_is_the_last() -> None:
    policy = _policy(hash_by("x-serinus-key", terminal=True))
    assert policy.terminal
    assert policy.header is not None
    assert policy.header.regex_rewrite is None
