"""Who may join a group of proxies."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.proxy_group import ProxyGroupSpec


def test_a_group_lists_the_node_ids_that_may_join_it() -> None:
    keys = {"listen": "0.0.0.0:8080", "nodes": ["edge-*", "spare-1"]}
    assert ProxyGroupSpec.model_validate(keys).nodes == ("edge-*", "spare-1")
    assert ProxyGroupSpec.model_validate({"listen": "0.0.0.0:8080"}).nodes is None


@pytest.mark.parametrize("keys", [{}, {"listen": "8080"}, {"listen": "127.0.0.1:1", "nodes": []}])
def test_a_group_without_an_address_or_that_admits_nobody_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ProxyGroupSpec.model_validate(keys)
