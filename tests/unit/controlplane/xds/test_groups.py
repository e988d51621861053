"""Which group a node belongs to, and who is turned away."""

import pytest

from controlplane.xds.errors import NodeNotAdmittedError, UnknownNodeError
from controlplane.xds.events import Node
from controlplane.xds.groups import GroupBook

_BOOK = GroupBook({"edge": (), "internal": ("int-*", "spare-?")})


@pytest.mark.parametrize(
    ("node_id", "cluster"), [("anything", "edge"), ("int-7", "internal"), ("int-", "internal"), ("spare-1", "internal")]
)
def test_a_node_is_of_the_group_that_it_names_if_that_admits_it(node_id: str, cluster: str) -> None:
    assert _BOOK.group_of(Node(node_id, cluster)) == cluster


@pytest.mark.parametrize("node_id", ["edge-1", "INT-7", "spare-12", "spare-"])
def test_a_node_that_the_group_does_not_list_is_not_admitted(node_id: str) -> None:
    with pytest.raises(NodeNotAdmittedError, match=f"group internal does not admit node '{node_id}'") as found:
        _BOOK.group_of(Node(node_id, "internal"))
    assert "ProxyGroup internal" in found.value.next_step


@pytest.mark.parametrize("cluster", ["", "elsewhere", "Edge"])
def test_a_node_of_no_group_is_told_which_groups_there_are(cluster: str) -> None:
    with pytest.raises(UnknownNodeError, match="groups: edge, internal"):
        _BOOK.group_of(Node("int-7", cluster))


def test_an_empty_book_has_no_groups() -> None:
    with pytest.raises(UnknownNodeError, match="groups: none"):
        GroupBook().group_of(Node("a", "edge"))
