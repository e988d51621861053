"""The exact bytes that receivers get, and that a signature and a mail can be checked by what others wrote."""

import email
import hashlib
import hmac
import json
from email.policy import default
from typing import Any

from controlplane.manifest.notify import Email
from controlplane.notify import payload
from controlplane.notify.notice import Notice
from tests.unit.compose_file import ROOT
from tests.unit.controlplane.notify.samples import notice

ADDRESS = Email.model_validate(
    {"to": ["ops@example.com", "ada@example.com"], "from": "serinus@example.com", "server": "127.0.0.1:25"}
)


def test_a_webhook_is_told_everything_in_fields() -> None:
    assert json.loads(payload.webhook_body(notice(actor="ada"))) == {
        "version": 1,
        "id": "chat-v2/1/rolled_back",
        "event": "rolled_back",
        "rollout": "chat-v2",
        "service": "chat",
        "baseline": "v1",
        "candidate": "v2",
        "phase": "rolling_back",
        "weight_bp": 0,
        "reason": "worse",
        "text": "errors: candidate 40 of 90 users, baseline 1 of 800: worse",
        "actor": "ada",
        "time": "2023-11-14T22:13:20.000Z",
    }
    assert payload.webhook_body(notice()) == payload.webhook_body(notice()), "the same bytes when it is sent again"


def test_a_webhook_is_signed_with_its_time_so_that_a_receiver_can_tell_body_and_age() -> None:
    body = payload.webhook_body(notice())
    headers = payload.webhook_headers(notice(), body, b"a key", now_s=1_700_000_005)
    when, _, sign = headers["x-serinus-signature"].partition(",")
    assert when == "t=1700000005"
    expected = hmac.new(b"a key", b"1700000005." + body, hashlib.sha256).hexdigest()
    assert sign == f"v1={expected}"
    assert headers["idempotency-key"] == "chat-v2/1/rolled_back"
    assert headers["x-serinus-event"] == "rolled_back"
    assert "x-serinus-signature" not in payload.webhook_headers(notice(), body, b"", now_s=1)


def test_the_signature_is_hmac_as_openssl_works_it_out() -> None:
    """Worked out once by `openssl dgst -sha256 -hmac`."""
    assert payload.signature(b"topsecret", b'{"id":"x"}', now_s=1_700_000_000) == (
        "t=1700000000,v1=f222a6bd6510f7a55e2f9c68bb0d0cd64ab31438cf9e89d64a903ae820701be6"
    )


def test_what_the_document_says_of_checking_a_signature_works() -> None:
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {"hmac": hmac, "hashlib": hashlib}
    exec(code, names)
    is_ours, body = names["is_ours"], payload.webhook_body(notice())
    header = payload.signature(b"a key", body, now_s=1_700_000_000)
    assert is_ours(b"a key", header, body, 1_700_000_100.0)
    assert not is_ours(b"a key", header, body, 1_700_001_000.0), "an old one"
    assert not is_ours(b"another", header, body, 1_700_000_100.0)
    assert not is_ours(b"a key", header, body + b" ", 1_700_000_100.0)


def test_slack_is_told_a_text_that_can_call_nobody() -> None:
    told = json.loads(payload.slack_body(notice(text="<!channel> & <https://evil|x>")))
    assert list(told) == ["text"]
    assert told["text"].startswith("*chat-v2 is rolled back*\n&lt;!channel&gt; &amp; &lt;https://evil|x&gt;\n")
    assert "v2 over v1 in service chat: rolling_back, weight 0%, at 2023-11-14T22:13:20.000Z." in told["text"]
    assert len(payload.slack_body(notice(text="x" * 100_000))) < 4_000


def parsed(of: Notice) -> email.message.EmailMessage:
    message = email.message_from_bytes(payload.mail(ADDRESS, of), policy=default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def test_a_mail_has_its_headers_and_says_what_to_do_next() -> None:
    message = parsed(notice(text="größer als erlaubt", actor="ada"))
    assert message["To"] == "ops@example.com, ada@example.com"
    assert message["From"] == "serinus@example.com"
    assert message["Subject"] == "[serinus] chat-v2 is rolled back"
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 -0000"
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_content().replace("\r\n", "\n")
    assert body.startswith("größer als erlaubt\nv2 over v1 in service chat")
    assert body.endswith("By ada.\n\nNext: serinus explain chat-v2\n")


def test_a_mail_that_comes_twice_is_the_same_mail_and_goes_over_a_line_of_ascii() -> None:
    assert payload.mail(ADDRESS, notice()) == payload.mail(ADDRESS, notice())
    assert parsed(notice())["Message-ID"] != parsed(notice(2))["Message-ID"]
    raw = payload.mail(ADDRESS, notice(text="größer " * 200))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_no_text_can_add_a_header() -> None:
    message = parsed(notice(text="x\r\nBcc: evil@example.com\r\n\r\nmore"))
    assert message["Bcc"] is None


def test_a_url_is_shown_without_its_query() -> None:
    assert payload.place("https://a.example:8443/hook?token=secret") == "https://a.example:8443/hook"
