"""Sessions, and whether a request is the page's own."""

import pytest

from controlplane.dashboard.web.access import (
    SESSION_S,
    SESSIONS_MAX,
    TRIES_MAX,
    TRIES_S,
    NotOurPageError,
    Sessions,
    TooManyTriesError,
    check_host,
    check_own,
)
from controlplane.security.access import Token
from controlplane.security.identity import Identity

ANN = Token("ann", "operator", "a" * 64, 10**10)
NOW_S = 1_000_000


def opened() -> Sessions:
    sessions = Sessions()
    sessions.open(ANN, key="k", csrf="c", now_s=NOW_S)
    return sessions


def test_a_session_has_the_role_that_its_token_has_now() -> None:
    sessions = opened()
    assert sessions.identity("k", [ANN], NOW_S) == (Identity("token", "operator", "ann"), "c")
    demoted = Token("ann", "viewer", ANN.sha256, ANN.expires_s)
    assert sessions.identity("k", [demoted], NOW_S) == (Identity("token", "viewer", "ann"), "c")
    assert sessions.identity("other", [ANN], NOW_S) is None


@pytest.mark.parametrize(
    ("tokens", "later_s"),
    [
        pytest.param([], 0, id="the token was removed"),
        pytest.param([Token("ann", "operator", "b" * 64, 10**10)], 0, id="it was replaced"),
        pytest.param([Token("bob", "operator", "a" * 64, 10**10)], 0, id="it is another's"),
        pytest.param([Token("ann", "operator", "a" * 64, NOW_S)], 0, id="it has ended"),
        pytest.param([ANN], SESSION_S, id="a day is over"),
    ],
)
def test_a_session_ends_with_its_token_and_with_the_day(tokens: list[Token], later_s: int) -> None:
    sessions = opened()
    assert sessions.identity("k", tokens, NOW_S + later_s) is None
    assert sessions.identity("k", [ANN], NOW_S) is None


def test_who_logs_out_is_out() -> None:
    sessions = opened()
    sessions.close("k")
    assert sessions.identity("k", [ANN], NOW_S) is None


def test_of_too_many_sessions_the_oldest_goes() -> None:
    sessions = opened()
    for number in range(SESSIONS_MAX):
        sessions.open(ANN, key=f"k{number}", csrf="c", now_s=NOW_S)
    assert sessions.identity("k", [ANN], NOW_S) is None
    assert sessions.identity("k0", [ANN], NOW_S) is not None


def test_wrong_tokens_are_answered_so_often_a_minute() -> None:
    sessions = Sessions()
    for _ in range(TRIES_MAX):
        sessions.check_tries(NOW_S)
        sessions.wrong(NOW_S)
    with pytest.raises(TooManyTriesError):
        sessions.check_tries(NOW_S + TRIES_S - 1)
    sessions.check_tries(NOW_S + TRIES_S)


@pytest.mark.parametrize("host", ["127.0.0.1:7402", "localhost", "[::1]:7402", "LOCALHOST:1"])
def test_a_port_on_loopback_has_the_names_of_loopback(host: str) -> None:
    check_host(host, "127.0.0.1")
    check_host(host, "[::1]")


@pytest.mark.parametrize("host", ["evil.example:7402", "127.0.0.1.evil.example", "", "192.168.0.7", "localhost.evil"])
def test_and_no_other(host: str) -> None:
    with pytest.raises(NotOurPageError):
        check_host(host, "127.0.0.1")


def test_a_port_elsewhere_may_have_any_name() -> None:
    check_host("serinus.example", "10.0.0.7")


HOST = "127.0.0.1:7402"


@pytest.mark.parametrize(
    "headers", [(None, None), (f"http://{HOST}", "same-origin"), (f"http://{HOST}", None), (None, "none")]
)
def test_the_pages_own_requests_pass(headers: tuple[str | None, str | None]) -> None:
    check_own(headers, HOST, shown="c", csrf="c")


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        (("http://evil.example", "cross-site"), "c"),
        (("http://evil.example", None), "c"),
        ((None, "cross-site"), "c"),
        ((None, "same-site"), "c"),
        (("null", None), "c"),
        (("http://127.0.0.1:9999", None), "c"),
        ((f"http://{HOST}", "same-origin"), ""),
        ((f"http://{HOST}", "same-origin"), "d"),
        ((f"http://{HOST}", "same-origin"), "ç"),
    ],
)
def test_those_of_another_page_or_an_earlier_session_do_not(headers: tuple[str | None, str | None], shown: str) -> None:
    with pytest.raises(NotOurPageError):
        check_own(headers, HOST, shown=shown, csrf="c")
