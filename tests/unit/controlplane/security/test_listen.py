"""Anything that listens beyond loopback without TLS refuses to start unless told `--insecure` in words."""

import pytest

from controlplane.security.errors import ListenAddressError, UnsafeListenError
from controlplane.security.listen import ListenAddress, parse_listen, require_safe_listen

LOOPBACK = ["127.0.0.1:7400", "127.8.9.1:1", "localhost:7400", "[::1]:7400", "[::ffff:127.0.0.1]:80", "127.0.0.1:0"]
BEYOND = [
    "0.0.0.0:7401",
    "[::]:7401",
    "10.1.2.3:7401",
    "controlplane:7401",
    "[fe80::1%eth0]:7401",
    "localhost.example:1",
]


@pytest.mark.parametrize("text", LOOPBACK)
def test_loopback_needs_no_tls(text: str) -> None:
    assert str(require_safe_listen(text, has_tls=False, insecure=False, flag="--admin")) == text


@pytest.mark.parametrize("text", BEYOND)
def test_beyond_loopback_is_refused_without_tls_and_the_error_says_what_to_do(text: str) -> None:
    with pytest.raises(UnsafeListenError) as error:
        require_safe_listen(text, has_tls=False, insecure=False, flag="--xds")
    message = str(error.value)
    assert message.startswith(f"--xds {text} listens beyond loopback without TLS; next: ")
    assert all(word in message for word in ("--tls-cert", "--tls-key", "--tls-ca", "--insecure"))


@pytest.mark.parametrize("text", BEYOND)
@pytest.mark.parametrize(("has_tls", "insecure"), [(True, False), (False, True), (True, True)])
def test_beyond_loopback_is_allowed_with_tls_or_when_told_in_words(text: str, has_tls: bool, insecure: bool) -> None:
    assert str(require_safe_listen(text, has_tls=has_tls, insecure=insecure, flag="--xds")) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7400", ListenAddress("127.0.0.1", 7400)),
        ("[::1]:65535", ListenAddress("::1", 65535)),
        ("my-host.example:0", ListenAddress("my-host.example", 0)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: ListenAddress) -> None:
    assert parse_listen(text, flag="--admin") == address
    assert str(address) == text


BROKEN = [
    "",
    "7400",
    ":7400",
    "127.0.0.1",
    "127.0.0.1:",
    "h:65536",
    "h:-1",
    "h:٣",
    "::1:7400",
    "[]:1",
    "[h:1",
    "a b:1",
    "h:1/x",
]


@pytest.mark.parametrize("text", [*BROKEN, "http://h:1"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ListenAddressError, match=r"^--http .* is not an address; next: write --http HOST:PORT"):
        parse_listen(text, flag="--http")
