"""The place of a request that Envoy routed alone: its log entry has the salted key where our own tag has the hash.

Envoy writes down the very text that it hashed, so bucket and key hash follow from it alone: no policy is asked, which
may be newer than the request. The text ends here; only the hash goes on.
"""

from serinus.contract.bucket import place_of

# A salt is not empty, holds no blank and ends with this; the digits of a hash hold none.
_AFTER_SALT = b":"
# Joins a header that stood twice. No native route takes such a key, so whoever wrote this hashed something else.
_JOINED = b","


def placed(salted: bytes) -> tuple[int, int]:
    """Key hash and bucket. Raises ValueError for what no native route of ours lets Envoy write."""
    if salted.find(_AFTER_SALT) < 1 or _JOINED in salted:
        raise ValueError(salted)
    return place_of(salted)
