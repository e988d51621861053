"""The place of a request that Envoy routed alone, from its log entry."""

import pytest

from extproc.accesslog.native import placed
from serinus.contract.bucket import bucket_of, key_hash, salted_key


@pytest.mark.parametrize("key", [b"u1", b"ada@example.com", b"a:b", b":"])
def test_hash_and_bucket_are_those_of_the_bucket_function(key: bytes) -> None:
    assert placed(salted_key("chat-v2", key)) == (key_hash("chat-v2", key), bucket_of("chat-v2", key))


@pytest.mark.parametrize("text", [b"00ab34cd00ab34cd", b":u1", b"", b"chat-v2:u1,u2"])
def test_what_no_envoy_of_ours_writes_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the caller asks no more
        placed(text)
