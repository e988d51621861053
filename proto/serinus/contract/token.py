"""Testers' tokens: a signed word that this request shall get that version of that service, until a moment.

`st1.<claims>.<signature>`, both in URL-safe base64 without padding: JSON claims and their HMAC-SHA256 (RFC 2104). The
signature is looked at first, in constant time, and covers every byte before it. Pure: keys and time come in.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

TOKEN_CHARS_MAX = 1_024
# Half of HMAC-SHA256's block: a shorter key is weaker than the signature. Longer ones than a block gain nothing.
KEY_BYTES_MIN, KEY_BYTES_MAX = 32, 1_024
# A key and the one before it, while testers' tokens are changed over.
KEYS_MAX = 4
# How far the clocks of the one who mints and of the sidecars may stand apart.
CLOCK_SKEW_S = 60
# A tester comes back for a new one; a token that leaked ends.
TTL_MAX_S = 30 * 86_400
_PREFIX = b"st1."


class TokenResult(StrEnum):
    """What became of a token. FORGED: not signed by a key of ours, or no token at all. EXPIRED: outside of its time.
    FOREIGN: of another service, or of a version that is not in force.
    """

    ACCEPTED = "accepted"
    FORGED = "forged"
    EXPIRED = "expired"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Claims:
    """`subject`: for whom it was minted, a label for people. Times in seconds since 1970."""

    service: str
    version: str
    subject: str
    issued_s: int
    expires_s: int


def mint(key: bytes, claims: Claims) -> str:
    """The token. Raises ValueError for a key or claims that no sidecar would take."""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise ValueError(f"a key of {len(key)} bytes, must be {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")
    if not 0 < claims.expires_s - claims.issued_s <= TTL_MAX_S:
        raise ValueError(f"a life of {claims.expires_s - claims.issued_s} s, must be 1 to {TTL_MAX_S}")
    signed = _PREFIX + _base64(json.dumps(asdict(claims), separators=(",", ":")).encode())
    token = b".".join((signed, _base64(_signature(key, signed)))).decode()
    if len(token) > TOKEN_CHARS_MAX:
        raise ValueError(f"a token of {len(token)} characters, at most {TOKEN_CHARS_MAX}; shorten the subject")
    return token


def keys_of(text: bytes) -> tuple[bytes, ...]:
    """The keys of a key file: one a line, without outer blanks. Any of them verifies, the first one mints. Raises
    ValueError.
    """
    keys = tuple(line for line in map(bytes.strip, text.splitlines()) if line)
    if not 0 < len(keys) <= KEYS_MAX:
        raise ValueError(f"{len(keys)} keys, must be 1 to {KEYS_MAX}, one a line")
    for number, key in enumerate(keys, 1):
        if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"key {number} has {len(key)} bytes, must be {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")
    return keys


def claims_of(keys: Sequence[bytes], token: bytes) -> Claims | None:
    """What a token claims; None if no key of these has signed it."""
    signed, dot, signature = token.rpartition(b".")
    if len(token) > TOKEN_CHARS_MAX or not dot or not signed.startswith(_PREFIX):
        return None
    # All keys are tried whatever the outcome: the time says nothing about which one it was.
    if not sum(hmac.compare_digest(_base64(_signature(key, signed)), signature) for key in keys):
        return None
    try:
        claims = Claims(**json.loads(base64.urlsafe_b64decode(signed[len(_PREFIX) :] + b"==")))
    except (ValueError, TypeError, binascii.Error):
        return None
    return claims if [type(value) for value in asdict(claims).values()] == [str, str, str, int, int] else None


def result_of(claims: Claims | None, *, service: str, versions: Collection[str], now_s: int) -> TokenResult:
    """What a token is worth for a request of `service`, of which `versions` are in force."""
    if claims is None:
        return TokenResult.FORGED
    if claims.service != service or claims.version not in versions:
        return TokenResult.FOREIGN
    if not claims.issued_s - CLOCK_SKEW_S <= now_s < claims.expires_s + CLOCK_SKEW_S:
        return TokenResult.EXPIRED
    return TokenResult.ACCEPTED


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, "sha256")


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
