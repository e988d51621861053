"""The bucket function against published values: a change here deals every user of every rollout anew."""

import pytest
import xxhash

from serinus.contract.bucket import bucket_of, key_hash
from serinus.contract.policy import evaluate
from tests.unit.extproc.messages import POLICY

# xxHash's own test values of XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc and test suite).
PUBLISHED = {b"": 0xEF46DB3751D8E999, b"a": 0xD24EC4F1A98C6E5B, b"abc": 0x44BC2CF5AD770999}


@pytest.mark.parametrize(("data", "expected"), PUBLISHED.items())
def test_the_hash_is_xxh64_with_seed_0(data: bytes, expected: int) -> None:
    assert xxhash.xxh64_intdigest(data) == expected


GOLDEN = [
    ("r1", b"u1", 0x04AE3350BAA7E332, 994),
    ("r1", b"alice@example.com", 0x3DB5BEF72E7EB7C8, 8904),
    ("r1", b"\xff\xfe not utf-8", 0x2401699E81AC48BD, 7277),
    ("", b"u1", 0x9BC18BEB1D45FC80, 8000),
    ("chat-v2-7", b"0" * 2048, 0x3B813DB4D7999E7F, 9487),
]


@pytest.mark.parametrize(("salt", "key", "hashed", "bucket"), GOLDEN)
def test_buckets_stay_what_they_are(salt: str, key: bytes, hashed: int, bucket: int) -> None:
    assert key_hash(salt, key) == hashed
    assert bucket_of(salt, key) == bucket == hashed % 10_000


def test_the_sidecar_evaluates_to_the_golden_bucket() -> None:
    assignment = evaluate(POLICY, lambda name: [b"u1"] if name == "x-user-id" else [])
    assert (assignment.key_hash, assignment.bucket) == GOLDEN[0][2:]
