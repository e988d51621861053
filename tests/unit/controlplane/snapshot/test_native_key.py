"""Where Envoy says that it can read the key, it reads what the sidecar reads."""

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.snapshot.native_key import NativeKey, UnreadableKeyError, native_key
from serinus.contract.bucket import key_hash, salted_key
from serinus.contract.request import StickyKind, StickySource, sticky_key
from tests.unit.controlplane.snapshot.envoy_model import hash_of, holds, rewritten

SALT = "chat-v2"
_SOURCES = {
    "x-user-id": StickySource(StickyKind.HEADER, "x-user-id"),
    "cookie": StickySource(StickyKind.COOKIE, "uid"),
    ":path": StickySource(StickyKind.QUERY, "user"),
    "x-request-id": StickySource(StickyKind.REQUEST),
}
Headers = dict[str, list[bytes]]


def _all(key: NativeKey, which: str, headers: Headers) -> bool:
    matchers = getattr(key, which)
    return matchers is not None and all(
        holds(route_v3.HeaderMatcher.parse(each.SerializeToString()), headers) for each in matchers
    )


def _logged(key: NativeKey, headers: Headers) -> bytes:
    rewrite = matcher_v3.RegexMatchAndSubstitute.parse(key.salted(SALT).SerializeToString())
    return rewritten(rewrite, headers[key.header][0])


def _hashed(key: NativeKey, headers: Headers) -> int | None:
    policy = route_v3.RouteActionHashPolicy.parse(key.hash_policy(SALT).SerializeToString())
    return hash_of([policy], headers)


_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), max_size=12).map(
    lambda text: text.strip().encode()
)
_COOKIES = st.lists(
    st.sampled_from(
        [b"uid=u1", b"uid=u2", b"uid=", b"uid", b'uid="a"', b"uid = 1", b"xuid=1", b"a=b", b"path=/", b"a=%", b"Secure"]
    ),
    max_size=4,
).flatmap(lambda parts: st.sampled_from([b"; ", b";", b" ; "]).map(lambda between: between.join(parts)))
_PATHS = st.lists(
    st.sampled_from(
        [
            b"user=u1",
            b"user=u2",
            b"user=",
            b"user",
            b"us%65r=1",
            b"user=%41",
            b"user=a+b",
            b"a=b",
            b"a=%20",
            b"=",
            b"xuser=1",
        ]
    ),
    max_size=4,
).flatmap(lambda parts: st.sampled_from([b"/?", b"//a?", b"/user=?", b"/"]).map(lambda start: start + b"&".join(parts)))
_DRAWN = {"x-user-id": _VALUES, "cookie": _COOKIES, ":path": _PATHS, "x-request-id": st.just(b"8f14e45f-ceea")}


@settings(deadline=None, max_examples=400)
@given(data=st.data())
@pytest.mark.parametrize("header", _SOURCES)
def test_a_readable_key_is_the_sidecars_and_a_keyless_request_has_none(header: str, data: st.DataObject) -> None:
    key = native_key((_SOURCES[header],))
    value = data.draw(_DRAWN[header])
    for headers in ({header: [value]}, {} if header != ":path" else {header: [b"/"]}):
        sidecars = sticky_key((_SOURCES[header],), lambda name, headers=headers: headers.get(name, []))  # type: ignore[misc]
        if _all(key, "readable", headers):
            assert sidecars is not None
            assert _logged(key, headers) == salted_key(SALT, sidecars)
            assert _hashed(key, headers) == key_hash(SALT, sidecars)
        if _all(key, "keyless", headers):
            assert sidecars is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-user-id", b"auth0|5f7c8ec7"),
        ("x-user-id", b"ada@example.com"),
        ("cookie", b"_ga=GA1.2.3; uid=8f14e45f-ceea; theme=dark"),
        ("cookie", b"uid=a.b.c"),
        (":path", b"/v1/chat/completions?stream=true&user=ada&note=a%20b"),
        (":path", b"/?user=1"),
    ],
)
def test_what_users_usually_send_is_readable(header: str, value: bytes) -> None:
    assert _all(native_key((_SOURCES[header],)), "readable", {header: [value]})


@pytest.mark.parametrize(
    ("header", "value"),
    [("x-user-id", b""), ("cookie", b"theme=dark; _ga=1"), (":path", b"/v1/chat?stream=true"), (":path", b"/users/3")],
)
def test_what_surely_has_no_key_needs_no_sidecar(header: str, value: bytes) -> None:
    assert _all(native_key((_SOURCES[header],)), "keyless", {header: [value]})


@pytest.mark.parametrize("value", [b"a,b", b"a b", "jürgen".encode(), b"\xff"])
def test_what_envoy_would_read_otherwise_is_neither(value: bytes) -> None:
    key = native_key((_SOURCES["x-user-id"],))
    assert not _all(key, "readable", {"x-user-id": [value]})
    assert not _all(key, "keyless", {"x-user-id": [value]})


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([StickySource(StickyKind.HEADER, "a"), StickySource(StickyKind.COOKIE, "b")], "several sources"),
        ([StickySource(StickyKind.HEADER, "authorization")], "must not be logged"),
        ([StickySource(StickyKind.HEADER, "cookie")], "must not be logged"),
        ([StickySource(StickyKind.HEADER, ":path")], "must not be logged"),
        ([StickySource(StickyKind.COOKIE, "Path")], "look for safely"),
        ([StickySource(StickyKind.COOKIE, "a b")], "look for safely"),
        ([StickySource(StickyKind.QUERY, "user[id]")], "look for safely"),
        ([StickySource(StickyKind.QUERY, "u" * 33)], "look for safely"),
        ([StickySource(StickyKind.COOKIE, "__Host-session_id_of_the_user__")], "too long for Envoy's patterns"),
    ],
)
def test_a_key_that_envoy_cannot_read_says_why(sources: list[StickySource], words: str) -> None:
    with pytest.raises(UnreadableKeyError, match=words):
        native_key(sources)
