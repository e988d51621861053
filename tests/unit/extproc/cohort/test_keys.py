"""Which values are keys: what cannot stand in a header would make Envoy answer 500, so it is none."""

import time
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.contract.request import (
    KEY_BYTES_MAX,
    PLAIN_KEY_BYTES,
    StickyKind,
    StickySource,
    cookies,
    sticky_key,
    usable_key,
)

QUERY = (StickySource(StickyKind.QUERY, "u"),)
COOKIE = (StickySource(StickyKind.COOKIE, "u"),)


def query_key(value: str) -> bytes | None:
    return sticky_key(QUERY, lambda name: [f"/v1?u={value}".encode()] if name == ":path" else [])


@pytest.mark.parametrize("value", ["a%0Ab", "a%00b", "a%7Fb", "%1f", "a%0d%0aset-cookie:x", "", "%20%09"])
def test_a_query_value_that_no_header_can_hold_is_no_key(value: str) -> None:
    assert query_key(value) is None


def test_an_escaped_line_break_in_a_cookie_is_no_key() -> None:
    assert sticky_key(COOKIE, lambda name: [b'u="a\\012b"'] if name == "cookie" else []) is None


@pytest.mark.parametrize(("value", "key"), [("a%20", b"a"), ("%09a%09b", b"a\tb"), ("%C3%A9", b"\xc3\xa9")])
def test_outer_blanks_are_no_part_of_a_key(value: str, key: bytes) -> None:
    """Envoy trims the header that it hashes: with the blank the bucket would not be Envoy's."""
    assert query_key(value) == key


def test_an_overlong_key_is_none_and_the_next_source_is_tried() -> None:
    sources = (*QUERY, StickySource(StickyKind.HEADER, "x-user-id"))
    headers = {":path": [b"/?u=" + b"x" * (KEY_BYTES_MAX + 1)], "x-user-id": [b"u1"]}
    assert sticky_key(sources, lambda name: headers.get(name, [])) == b"u1"


@pytest.mark.parametrize(
    "value", ['"a\\054b"', '"\\"\\\\"', '"\\"', '"', '""', "a", '"\\0541\\8\\777"', '"a\\', "a\\054"]
)
def test_cookies_are_unquoted_as_python_does(value: str) -> None:
    jar = SimpleCookie(f"u={value}; w=1")
    wanted = {name: morsel.value.encode("latin-1", "ignore") for name, morsel in jar.items()}
    assert cookies(lambda _: [f"u={value}; w=1".encode()]) == wanted


@pytest.mark.parametrize("escape", [b'\\"', b"\\054", b"\\0", b"a;", b" ", b"=", b'"', b","])
def test_a_hostile_cookie_costs_no_more_than_its_length(escape: bytes) -> None:
    """Found by fuzzing: 60 KB of escapes, which Envoy passes, took six seconds of the only thread."""
    value = b'u="' + escape * (60_000 // len(escape)) + b'"'
    started_s = time.process_time()
    cookies(lambda _: [value])
    assert time.process_time() - started_s < 1.0  # CPU time; it takes some ms


@given(st.binary(max_size=20))
def test_a_plain_key_is_usable_as_it_stands(text: bytes) -> None:
    if text and not text.translate(None, PLAIN_KEY_BYTES):
        assert usable_key(text) == text
    elif usable_key(text) == text:
        assert set(text) & set(b" \t"), "only blanks within make a usable key not plain"
