"""Who asks, and for what."""

import pytest

from controlplane.snapshot.resource import CLUSTER, resource
from controlplane.xds.errors import StreamError, UnknownTypeError
from controlplane.xds.events import Node
from controlplane.xds.node import NACK_MESSAGE_CHARS_MAX, NODE_ID_BYTES_MAX, first_node, is_served, overdue, told
from controlplane.xds.order import TYPE_ORDER, UNSERVED_TYPES


def test_a_node_with_an_id_is_one() -> None:
    longest = Node("x" * NODE_ID_BYTES_MAX)
    assert first_node(longest) is longest


@pytest.mark.parametrize("node", [None, Node(""), Node("", "edge"), Node("ä" * (NODE_ID_BYTES_MAX // 2 + 1))])
def test_one_without_or_with_a_longer_one_is_none(node: Node | None) -> None:
    with pytest.raises(StreamError, match=r"node\.id"):
        first_node(node)


def test_every_type_that_is_ordered_is_served_and_the_others_of_xds_are_not() -> None:
    assert all(is_served(type_url) for type_url in TYPE_ORDER)
    assert not any(is_served(type_url) for type_url in UNSERVED_TYPES)


def test_a_missing_type_and_one_that_is_none_of_xds_are_errors_of_their_own() -> None:
    with pytest.raises(StreamError, match="needs a type_url"):
        is_served("")
    with pytest.raises(UnknownTypeError, match="is none of xDS"):
        is_served("type.googleapis.com/nothing")


def test_a_type_url_without_end_is_shown_in_part() -> None:
    with pytest.raises(UnknownTypeError) as found:
        is_served("x" * 1_000_000)
    assert len(str(found.value)) < 500


def test_words_are_told_within_bounds() -> None:
    assert told("as they are") == "as they are"
    assert len(told("x" * 10_000)) == NACK_MESSAGE_CHARS_MAX


def test_silence_is_told_with_the_clusters_that_have_no_answer() -> None:
    words = overdue(resource(name, CLUSTER, b"1") for name in ("chat/v2", "chat/v1"))
    assert words.endswith("; clusters: chat/v1, chat/v2")
    assert "warming_clusters" in words
    assert "clusters: " not in overdue(())
