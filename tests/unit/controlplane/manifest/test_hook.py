"""Hooks as a manifest says them; a secret in a URL is refused."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.hook import Hook, Hooks


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/gate", "https://gate.example.com", "http://[::1]:80/x?release=chat"]
)
def test_a_hook_has_bounds_without_being_told(url: str) -> None:
    hook = Hook.model_validate({"url": url})
    assert (hook.url, hook.timeout_ms, hook.retries, hook.auth) == (url, 10_000, 3, None)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"url": "gate.example.com"}, "write http:// or https:// with a host"),
        ({"url": "ftp://gate.example.com"}, "write http:// or https:// with a host"),
        ({"url": "http://"}, "write http:// or https:// with a host"),
        ({"url": "http://gate/#top"}, "write http:// or https:// with a host"),
        ({"url": "http://gate/a b"}, "write http:// or https:// with a host"),
        ({"url": "http://gate:99999"}, "is not a URL"),
        ({"url": "http://gate/\n"}, "is not a URL"),
        ({"url": "http://ada:secret@gate/"}, "name a file by `auth: {file: …}`"),
        ({"timeout": "11m"}, "answers within 10m"),
        ({"timeout": "0s"}, "longer than 0s"),
        ({"retries": 11}, "less than or equal to 10"),
        ({"auth": {"file": "../etc/passwd"}}, "secrets directory"),
    ],
)
def test_what_no_hook_can_be_is_refused(change: dict[str, object], part: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Hook.model_validate({"url": "http://127.0.0.1:9000/"} | change)
    assert part in str(caught.value)


def test_each_kind_is_a_short_list() -> None:
    with pytest.raises(ValidationError, match="at most 10"):
        Hooks.model_validate({"before_step": [{"url": "http://a/"}] * 11})
