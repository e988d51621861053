"""Requests with what the secret files hold, and failures that hold nothing of it."""

import json

import pytest

from controlplane.engine.hooks.calls import HookCall, HookReply
from controlplane.engine.secrets import Reading
from controlplane.notify.message import MailCall, UnusableSecretError, alerts_call, call_of, failure, where
from controlplane.notify.payload import signature
from tests.unit.controlplane.notify.samples import notice, target

NOW_S = 1_700_000_000
MAIL = {"to": ["ops@example.com"], "from": "serinus@example.com", "server": "127.0.0.1:2525", "login_file": "login"}


def http(read: Reading, **fields: object) -> HookCall:
    call = call_of(target(**fields), notice(), read, now_s=NOW_S)
    assert isinstance(call, HookCall)
    return call


def test_a_webhook_is_signed_and_authorised_by_files() -> None:
    read = Reading({"key": b"a key\n", "token": b" tok \n"})
    call = http(read, webhook="http://a.test/hook", key_file="key", auth={"file": "token"})
    assert call.headers["x-serinus-signature"] == signature(b"a key", call.body, now_s=NOW_S)
    assert call.headers["authorization"] == "Bearer tok"
    assert "tok" not in repr(call).replace("token", "")


def test_the_url_of_slack_is_the_files() -> None:
    call = http(Reading({"url": b"https://hooks.test/T/B/secret\n"}), slack={"url_file": "url"})
    assert call.url == "https://hooks.test/T/B/secret"
    assert list(json.loads(call.body)) == ["text"]


def test_a_mail_has_its_login() -> None:
    call = call_of(target(email=MAIL), notice(), Reading({"login": b"ada:pass:word\n"}), now_s=NOW_S)
    assert isinstance(call, MailCall)
    assert call.login == ("ada", "pass:word")
    assert "word" not in repr(call)


def test_alerts_go_to_the_second_api() -> None:
    found = alerts_call(target(alertmanager="http://am.test/base/"), b"[]", Reading())
    assert (found.url, found.body) == ("http://am.test/base/api/v2/alerts", b"[]")


@pytest.mark.parametrize(
    ("fields", "name", "content"),
    [
        ({"slack": {"url_file": "f"}}, "f", b"not a url at all"),
        ({"slack": {"url_file": "f"}}, "f", b"https://ada:hunter22@hooks.test/x"),
        ({"slack": {"url_file": "f"}}, "f", b""),
        ({"webhook": "http://a/", "key_file": "f"}, "f", b"two\nlines"),
        ({"webhook": "http://a/", "auth": {"file": "f"}}, "f", b"\xff\xfe"),
        ({"email": MAIL}, "login", b"hunter22"),
        ({"email": MAIL}, "login", b":hunter22"),
    ],
)
def test_a_secret_that_is_none_is_told_by_its_name_alone(fields: dict[str, object], name: str, content: bytes) -> None:
    with pytest.raises(UnusableSecretError, match=f"secret file {name} holds no") as found:
        call_of(target(**fields), notice(), Reading({name: content}), now_s=NOW_S)
    assert "hunter" not in str(found.value)


def test_a_file_that_cannot_be_read_is_told_in_the_readers_words() -> None:
    with pytest.raises(UnusableSecretError, match="secret file f is away"):
        call_of(target(slack={"url_file": "f"}), notice(), Reading(faults={"f": "secret file f is away"}), now_s=1)


def test_a_failure_names_the_receiver_and_repeats_no_secret() -> None:
    slack = target(slack={"url_file": "slack.url"})
    read = Reading({"slack.url": b"https://hooks.test/services/T0/B0/hunter22\n"})
    reply = HookReply(404, "no_service: https://hooks.test/services/T0/B0/hunter22 \x1b[1m services/T0/B0/hunter22")
    assert failure(slack, reply, read) == ("the Slack hook of slack.url answered 404: no_service: *** [1m ***")
    mail = target(email=MAIL)
    said = failure(mail, HookReply(400, "535 bad pass:word for ada"), Reading({"login": b"ada:pass:word"}))
    assert said == "mail server 127.0.0.1:2525 answered 400: 535 bad *** for ada"
    assert failure(target(), HookReply(0, "none within 10 s"), Reading()) == (
        "webhook http://127.0.0.1:9000/hook gave no answer: none within 10 s"
    )
    assert len(failure(target(), HookReply(500, "x" * 10_000), Reading())) < 300


def test_receivers_are_shown_without_queries() -> None:
    assert where(target(webhook="https://a.test/hook?token=hunter22")) == "webhook https://a.test/hook"
    assert where(target(alertmanager="http://am.test:9093")) == "alertmanager http://am.test:9093"
