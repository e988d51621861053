"""The place of a request that Envoy routed alone: its log entry has the salted key where our own tag has the hash.

Envoy writes down the very text that it hashed, so bucket and key hash follow from it alone: no policy is asked, which
may be newer than the request. The text ends here; only the hash goes on.
"""

from serinus.contract.bucket import place_of

# A salt is not empty, holds no blank and ends with this; the digits of a hash hold none.
_AFTER_SALT = b":"
# Joins a header that stood twice. Native routes take no such key; one in the log was matched by an Envoy whose bootstrap
# does not say so, and its two values were hashed otherwise.
_JOINED = b","

Place = tuple[int | None, int | None]
_NOWHERE: Place = (None, None)


def placed(salted: bytes) -> Place:
    """Key hash and bucket. Raises ValueError for what no Envoy of ours writes."""
    if salted.find(_AFTER_SALT) < 1:
        raise ValueError(salted)
    return _NOWHERE if _JOINED in salted else place_of(salted)
