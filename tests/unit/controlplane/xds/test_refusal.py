"""What a refusal means: who was bad, what is tried again, what is given instead."""

import pytest

from controlplane.snapshot.resource import CLUSTER, Resource, ResourceSet, resource
from controlplane.xds.refusal import NOTHING_REFUSED, Refused, culprits, named_in


def _cluster(name: str, content: str = "1") -> Resource:
    return resource(name, CLUSTER, content.encode())


_A, _B, _C = (_cluster(name) for name in "abc")
_WORDS = "Error adding/updating cluster(s) {}: no such thing"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Error adding/updating cluster(s) chat/v1: ring hash", {"chat/v1"}),
        ("Error adding/updating cluster(s) chat/v1: ring hash, chat/v10: ring hash", {"chat/v1", "chat/v10"}),
        ("Error adding/updating cluster(s) chat/v10: ring hash", {"chat/v10"}),
        ("Error adding/updating cluster(s) my-chat/v1: ring hash", set()),
        ("duplicate cluster chat/v1", {"chat/v1"}),
        ("cluster 'chat/v1' is bad.", {"chat/v1"}),
        ("cluster chat/v1.", {"chat/v1"}),
        ("cluster other/chat/v1/ca", set()),
        ("", set()),
    ],
)
def test_a_name_is_found_where_it_stands_alone(words: str, names: set[str]) -> None:
    """`chat/v1` does not stand in `chat/v10` nor in `my-chat/v1`."""
    resources = [_cluster(name) for name in ("chat/v1", "chat/v10")]
    assert {item.name for item in named_in(resources, words)} == names


def test_where_none_is_named_all_are_culprits() -> None:
    assert culprits([_A, _B], _WORDS.format("a")) == {_A}
    assert culprits([_A, _B], "no") == {_A, _B}


def test_named_ones_are_bad_and_the_others_are_none() -> None:
    assert NOTHING_REFUSED.after([_A, _B], _WORDS.format("a")) == Refused(named=frozenset({_A}))


def test_without_a_name_all_are_suspects() -> None:
    refused = NOTHING_REFUSED.after([_A], "no").after([_B], "no")
    assert refused == Refused(suspects=frozenset({_A, _B}))
    assert refused.names == {"a", "b"}


def test_words_that_name_others_leave_the_suspects() -> None:
    refused = Refused(suspects=frozenset({_A})).after([_B, _C], _WORDS.format("b"))
    assert refused == Refused(frozenset({_B}), frozenset({_A}))


def test_words_that_name_a_suspect_clear_the_other_suspects() -> None:
    """They may be late ones, of a response that had no answer when its resources became suspects."""
    refused = Refused(suspects=frozenset({_A, _B}))
    assert refused.after([], _WORDS.format("a")) == Refused(named=frozenset({_A}))
    assert refused.after([_C], _WORDS.format("a")) == Refused(named=frozenset({_A}))


def test_what_has_changed_is_given_another_try() -> None:
    """A named one by itself; suspects together, as the one that changed may have been the bad one."""
    refused = Refused(frozenset({_A}), frozenset({_B, _C}))
    assert refused.still(ResourceSet.of((_A, _B, _C))) == refused
    assert refused.still(ResourceSet.of((_cluster("a", "2"), _B, _C))) == Refused(suspects=frozenset({_B, _C}))
    assert refused.still(ResourceSet.of((_A, _cluster("b", "2"), _C))) == Refused(named=frozenset({_A}))
    assert refused.still(ResourceSet()) == NOTHING_REFUSED


def test_what_was_taken_after_all_is_settled() -> None:
    refused = Refused(frozenset({_A}), frozenset({_B}))
    assert refused.settled(ResourceSet.of((_A,))) == Refused(suspects=frozenset({_B}))
    assert refused.settled(ResourceSet.of((_B,))) == Refused(named=frozenset({_A}))
    assert refused.settled(ResourceSet.of((_cluster("a", "2"),))) == refused
    assert NOTHING_REFUSED.settled(ResourceSet.of((_A,))) is NOTHING_REFUSED


def test_in_its_place_stands_what_ran_before_or_nothing() -> None:
    refused = Refused(frozenset({_cluster("a", "2"), _cluster("b", "2")}))
    wanted = ResourceSet.of((_cluster("a", "2"), _cluster("b", "2"), _C))
    assert refused.instead(wanted, ResourceSet.of((_A,))) == ResourceSet.of((_A, _C))
    assert refused.instead(wanted, None) == ResourceSet.of((_C,))
    assert NOTHING_REFUSED.instead(wanted, None) is wanted
