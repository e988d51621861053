"""Testers' tokens: what is signed and timely counts, and nothing else does."""

import base64
import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.contract.token import (
    CLOCK_SKEW_S,
    TTL_MAX_S,
    Claims,
    TokenResult,
    claims_of,
    keys_of,
    mint,
    result_of,
)

KEY, OTHER = b"k" * 32, b"o" * 32
CLAIMS = Claims("chat", "v2", "ada", 1_000, 4_600)
TOKEN = mint(KEY, CLAIMS).encode()


def result(claims: Claims | None, now_s: int = 2_000) -> TokenResult:
    return result_of(claims, service="chat", versions=("v1", "v2"), now_s=now_s)


def test_a_token_says_what_was_minted_into_it_under_any_of_the_keys() -> None:
    assert claims_of([KEY], TOKEN) == claims_of([OTHER, KEY], TOKEN) == CLAIMS
    assert claims_of([OTHER], TOKEN) is None
    assert claims_of([], TOKEN) is None


def test_it_can_stand_in_a_header() -> None:
    assert TOKEN.isascii()
    assert TOKEN.startswith(b"st1.")
    assert b" " not in TOKEN
    assert b"=" not in TOKEN


@given(place=st.integers(0, len(TOKEN) - 1), byte=st.integers(0, 255))
def test_a_token_in_which_one_byte_is_another_is_forged(place: int, byte: int) -> None:
    changed = TOKEN[:place] + bytes([byte]) + TOKEN[place + 1 :]
    assert claims_of([KEY], changed) == (CLAIMS if changed == TOKEN else None)


@given(text=st.binary(max_size=200) | st.binary(max_size=50).map(lambda raw: b"st1." + raw))
def test_what_is_no_token_is_forged_and_breaks_nothing(text: bytes) -> None:
    assert claims_of([KEY], text) is None
    assert result(None) is TokenResult.FORGED


def test_a_token_that_is_cut_or_longer_is_forged() -> None:
    assert claims_of([KEY], TOKEN[:-1]) is None
    assert claims_of([KEY], TOKEN + b"A") is None
    assert claims_of([KEY], TOKEN + b"=") is None
    assert claims_of([KEY], b"st1." + b"A" * 2_000) is None


@pytest.mark.parametrize(
    "claims",
    [b"no json", b"[]", b"{}", json.dumps({**asdict(CLAIMS), "more": 1}).encode(), b'{"service":1}', b"\xff"],
)
def test_signed_claims_of_another_form_are_forged(claims: bytes) -> None:
    assert claims_of([KEY], _signed(claims)) is None


@pytest.mark.parametrize("change", [{"expires_s": "4600"}, {"issued_s": 1.5}, {"version": None}, {"issued_s": True}])
def test_signed_claims_of_another_type_are_forged(change: dict[str, object]) -> None:
    assert claims_of([KEY], _signed(json.dumps({**asdict(CLAIMS), **change}).encode())) is None


def _signed(claims: bytes) -> bytes:
    """By hand, as whoever has the key could."""
    import hashlib
    import hmac

    signed = b"st1." + base64.urlsafe_b64encode(claims).rstrip(b"=")
    signature = hmac.new(KEY, signed, hashlib.sha256).digest()
    return signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")


def test_the_signature_is_hmac_sha256() -> None:
    """Written down a second time: other tools may mint."""
    assert claims_of([KEY], _signed(json.dumps(asdict(CLAIMS)).encode())) == CLAIMS


@pytest.mark.parametrize(
    ("now_s", "expected"),
    [
        (1_000 - CLOCK_SKEW_S - 1, TokenResult.EXPIRED),
        (1_000 - CLOCK_SKEW_S, TokenResult.ACCEPTED),
        (4_600 + CLOCK_SKEW_S - 1, TokenResult.ACCEPTED),
        (4_600 + CLOCK_SKEW_S, TokenResult.EXPIRED),
    ],
)
def test_it_counts_from_its_minting_to_its_end_and_the_skew_of_clocks(now_s: int, expected: TokenResult) -> None:
    assert result(CLAIMS, now_s) is expected


def test_another_service_and_a_version_that_is_not_in_force_are_foreign() -> None:
    assert result(replace(CLAIMS, service="talk")) is TokenResult.FOREIGN
    assert result(replace(CLAIMS, version="v3")) is TokenResult.FOREIGN


@pytest.mark.parametrize("expires_s", [1_000, 999, 1_000 + TTL_MAX_S + 1])
def test_a_life_of_nothing_or_too_long_is_not_minted(expires_s: int) -> None:
    with pytest.raises(ValueError, match="a life of"):
        mint(KEY, replace(CLAIMS, expires_s=expires_s))


def test_a_key_that_is_too_short_does_not_sign() -> None:
    with pytest.raises(ValueError, match="a key of 31 bytes"):
        mint(b"k" * 31, CLAIMS)


def test_a_key_file_has_a_key_a_line() -> None:
    assert keys_of(b" " + KEY + b"\r\n\n" + OTHER) == (KEY, OTHER)
    with pytest.raises(ValueError, match="0 keys"):
        keys_of(b"\n")
    with pytest.raises(ValueError, match="5 keys"):
        keys_of(b"\n".join([KEY] * 5))
    with pytest.raises(ValueError, match="key 2 has 3 bytes"):
        keys_of(KEY + b"\nabc")
