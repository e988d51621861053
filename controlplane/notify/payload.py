"""A notice as its receivers want it: a signed JSON body, Slack's text, a mail. Pure; keys come as bytes, and go nowhere
but into a signature."""

import hashlib
import hmac
import json
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from urllib.parse import urlsplit

from controlplane.manifest.notify import Email
from controlplane.notify.notice import Notice

# Slack cuts texts of more than 4,000 characters, and a sentence has a few hundred.
TEXT_CHARS_MAX = 3_000
JSON_TYPE = "application/json"


def webhook_body(notice: Notice) -> bytes:
    fields = {
        "version": 1,
        "id": notice.id,
        "event": notice.event,
        "rollout": notice.rollout,
        "service": notice.service,
        "baseline": notice.baseline,
        "candidate": notice.candidate,
        "phase": notice.phase,
        "weight_bp": notice.weight_bp,
        "reason": notice.reason,
        "text": notice.text,
        "actor": notice.actor,
        "time": notice.time,
    } | ({"labels": dict(notice.labels)} if notice.labels else {})
    return json.dumps(fields, sort_keys=True).encode()


def webhook_headers(notice: Notice, body: bytes, key: bytes, *, now_s: int) -> dict[str, str]:
    """`key` b"": not signed."""
    headers = {
        "content-type": JSON_TYPE,
        "user-agent": "serinus",
        "idempotency-key": notice.id,
        "x-serinus-event": notice.event,
    }
    return headers | ({"x-serinus-signature": signature(key, body, now_s=now_s)} if key else {})


def signature(key: bytes, body: bytes, *, now_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`. The time is signed too, so that an old request that somebody
    kept can be told from a new one."""
    digest = hmac.new(key, f"{now_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now_s},v1={digest}"


def slack_body(notice: Notice) -> bytes:
    """Its three signs of markup are escaped: no text of ours can make a link or call a channel."""
    return json.dumps({"text": f"*{_escaped(notice.title)}*\n{_escaped(_sentences(notice))}"}).encode()


def mail(email: Email, notice: Notice) -> bytes:
    """The same bytes each time: a mail that comes twice has one Message-ID."""
    message = EmailMessage(policy=SMTP)
    message["From"] = email.sender
    message["To"] = ", ".join(email.to)
    message["Subject"] = f"[serinus] {notice.title}"
    message["Date"] = formatdate(notice.at_ms / 1000)
    digest = hashlib.sha256(notice.id.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@serinus.{email.sender.rpartition('@')[2]}>"
    # RFC 3834: no answer of an absent person comes back.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Serinus-Event"] = notice.event
    message.set_content(_sentences(notice) + f"\n\nNext: {notice.next_step}\n", cte="quoted-printable")
    return message.as_bytes()


def place(url: str) -> str:
    """A URL as it may be shown: without its query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _sentences(notice: Notice) -> str:
    who = f" By {notice.actor}." if notice.actor else ""
    text = notice.text[:TEXT_CHARS_MAX]
    if not notice.rollout:
        return f"{text}\nService {notice.service}, at {notice.time}."
    move = f"{notice.candidate} over {notice.baseline} in service {notice.service}"
    return f"{text}\n{move}: {notice.phase}, weight {notice.weight}, at {notice.time}.{who}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
