"""Tokens: made once, kept as a hash, compared in constant time, and never shown again."""

import pytest

from controlplane.security.access import TOKENS_MAX, Token, identify, mint, parse, render
from controlplane.security.errors import TokenFileError, UnauthenticatedError
from controlplane.security.identity import Identity

SECRET = bytes(range(32))
TEXT, ANN = mint("ann", "operator", secret=SECRET, expires_s=2_000)
_, BOB = mint("bob", "viewer", secret=SECRET, expires_s=2_000)


def test_what_is_kept_does_not_give_the_token() -> None:
    assert TEXT.startswith("srn_ann_")
    secret = TEXT.removeprefix("srn_ann_")
    assert len(secret) == 43
    assert secret not in render([ANN])
    assert ANN.sha256 not in repr(ANN)


def test_a_file_is_read_back_as_it_was_written() -> None:
    assert parse(render([ANN, BOB]), where="tokens") == (ANN, BOB)


def test_a_token_tells_whose_it_is() -> None:
    assert identify(f"Bearer {TEXT}", [BOB, ANN], now_s=1_999) == Identity("token", "operator", "ann")
    assert identify(f"bearer  {TEXT} ", [ANN], now_s=1_999) == Identity("token", "operator", "ann")


@pytest.mark.parametrize(
    ("header", "now_s", "said"),
    [
        ("", 0, "holds no bearer token"),
        ("Basic YQ==", 0, "holds no bearer token"),
        ("Bearer", 0, "holds no bearer token"),
        (f"Bearer {'x' * 10_000}", 0, "holds no bearer token"),
        (f"Bearer {TEXT}x", 0, "is not known here"),
        (f"Bearer {TEXT[:-1]}", 0, "is not known here"),
        (f"Bearer {ANN.sha256}", 0, "is not known here"),
        ("Bearer \udcff", 0, "is not known here"),
        (f"Bearer {TEXT}", 2_000, "the token ann has ended"),
    ],
)
def test_what_is_not_good_is_refused_without_being_repeated(header: str, now_s: int, said: str) -> None:
    with pytest.raises(UnauthenticatedError, match=said) as error:
        identify(header, [ANN], now_s=now_s)
    assert "; next: " in str(error.value)
    assert TEXT[:20] not in str(error.value)


@pytest.mark.parametrize(
    "line",
    ["ann operator", "ann king " + "0" * 64 + " 1", "ann viewer abc 1", "ann viewer " + "0" * 64 + " soon", "a/b " * 4],
)
def test_a_line_that_is_none_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(TokenFileError, match="tokens:2 is not") as error:
        parse(f"# head\n{line}\n", where="tokens")
    assert "0000" not in str(error.value)


def test_a_name_stands_once_and_tokens_are_bounded() -> None:
    with pytest.raises(TokenFileError, match="twice"):
        parse(render([ANN, ANN]), where="tokens")
    many = [Token(f"t{number}", "viewer", "0" * 64, 1) for number in range(TOKENS_MAX + 1)]
    with pytest.raises(TokenFileError, match="more than 1000"):
        parse(render(many), where="tokens")


@pytest.mark.parametrize(("name", "role"), [("", "viewer"), ("a b", "viewer"), ("a_b", "viewer"), ("ann", "anyone")])
def test_a_name_or_role_that_is_none_makes_no_token(name: str, role: str) -> None:
    with pytest.raises(TokenFileError, match="; next: "):
        mint(name, role, secret=SECRET, expires_s=1)
