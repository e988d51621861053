"""The bucket function, the same in the sidecar, in Envoy's own hash policy and in `serinus cohort`.

`hash = xxh64(salt + ":" + key, seed 0)`, `bucket = hash % 10000`. Envoy computes the same from a header hash policy
whose value is `salt:key` (sent by the sidecar, or rewritten by `regex_rewrite`): 1000/1000 users equal on Envoy 1.40.
A key is a byte string as it stood on the wire, without leading and trailing blanks (Envoy's codec trims them).
"""

import xxhash

BUCKET_COUNT = 10_000
# Of a key that is salted already.
hash_of = xxhash.xxh64_intdigest


def salted_key(salt: str, key: bytes) -> bytes:
    """What Envoy hashes and what the sidecar sends as `x-serinus-key`."""
    return salt.encode() + b":" + key


def key_hash(salt: str, key: bytes) -> int:
    """The 64-bit salted hash that stands for a sticky key everywhere outside the request path."""
    return hash_of(salted_key(salt, key))


def place_of(salted: bytes) -> tuple[int, int]:
    """The key hash and the bucket of a key that is salted already, as Envoy logs the one that it hashed."""
    hashed = hash_of(salted)
    return hashed, hashed % BUCKET_COUNT


def bucket_of(salt: str, key: bytes) -> int:
    """A key's place, 0..9999."""
    return key_hash(salt, key) % BUCKET_COUNT
