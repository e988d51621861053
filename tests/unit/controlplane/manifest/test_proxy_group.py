"""Who may join a group of proxies."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.proxy_group import ProxyGroupSpec


@pytest.mark.parametrize(
    ("nodes", "node_id", "admitted"),
    [
        (None, "anything", True),
        (["edge-*"], "edge-1", True),
        (["edge-*"], "internal-1", False),
        (["edge-*", "internal-?"], "internal-1", True),
        (["edge-1"], "EDGE-1", False),
    ],
)
def test_a_group_admits_the_node_ids_that_it_lists(nodes: list[str] | None, node_id: str, admitted: bool) -> None:
    keys = {"listen": "0.0.0.0:8080"} | ({} if nodes is None else {"nodes": nodes})
    assert ProxyGroupSpec.model_validate(keys).admits(node_id) is admitted


@pytest.mark.parametrize("keys", [{}, {"listen": "8080"}, {"listen": "127.0.0.1:1", "nodes": []}])
def test_a_group_without_an_address_or_that_admits_nobody_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ProxyGroupSpec.model_validate(keys)
