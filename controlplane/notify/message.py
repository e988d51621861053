"""One attempt to tell one receiver: the request or mail that it takes, with what the secret files hold. Pure.

A secret that cannot be used is an answer like any other: it is said, and tried again, since files are renewed.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from controlplane.engine.hooks.calls import REPLY_CHARS_MAX, HookCall, HookReply
from controlplane.engine.secrets import Reading
from controlplane.manifest.hook import parse_url
from controlplane.manifest.notify import Email, Target
from controlplane.notify import payload
from controlplane.notify.notice import Notice

# A receiver that acts on it answers first.
TIMEOUT_S = 10.0
ALERTS_PATH = "/api/v2/alerts"


@dataclass(frozen=True, slots=True)
class MailCall:
    """`login` and `ca`: None where the target names none."""

    email: Email
    message: bytes
    login: tuple[str, str] | None = field(default=None, repr=False)
    ca: str | None = field(default=None, repr=False)


class UnusableSecretError(ValueError):
    """The message names the file, never what it holds."""


def call_of(target: Target, notice: Notice, read: Reading, *, now_s: int) -> HookCall | MailCall:
    """Not for Alertmanager. Raises UnusableSecretError."""
    if target.email is not None:
        return _mail(target.email, notice, read)
    if target.slack is not None:
        url = _text(read, target.slack.url_file)
        try:
            parse_url(url)
        except ValueError:
            raise UnusableSecretError(f"secret file {target.slack.url_file} holds no URL") from None
        return HookCall(url, payload.slack_body(notice), TIMEOUT_S, {"content-type": payload.JSON_TYPE})
    assert target.webhook is not None, "the fourth is Alertmanager"
    key = _text(read, target.key_file).encode() if target.key_file is not None else b""
    body = payload.webhook_body(notice)
    headers = payload.webhook_headers(notice, body, key, now_s=now_s)
    return HookCall(target.webhook, body, TIMEOUT_S, headers | _auth(target, read))


def alerts_call(target: Target, body: bytes, read: Reading) -> HookCall:
    """Raises UnusableSecretError."""
    assert target.alertmanager is not None, "the caller asked"
    headers = {"content-type": payload.JSON_TYPE, "user-agent": "serinus"}
    return HookCall(target.alertmanager + ALERTS_PATH, body, TIMEOUT_S, headers | _auth(target, read))


def where(target: Target) -> str:
    """The receiver, as it may be shown."""
    if target.email is not None:
        return f"mail server {target.email.server}"
    if target.slack is not None:
        return f"the Slack hook of {target.slack.url_file}"
    return f"{target.kind} {payload.place(target.webhook or target.alertmanager or '')}"


def failure(target: Target, reply: HookReply, read: Reading) -> str:
    """Why an attempt failed, in a sentence without any secret, also where a server repeats one."""
    said = "".join(char if char.isprintable() else " " for char in reply.text)
    for secret in sorted(filter(None, _secrets(read)), key=len, reverse=True):
        said = said.replace(secret, "***")
    said = " ".join(said.split())[:REPLY_CHARS_MAX]
    status = f"answered {reply.status}" if reply.status else "gave no answer"
    return f"{where(target)} {status}" + (f": {said}" if said else "")


def _secrets(read: Reading) -> list[str]:
    """What the files hold, whole and in the parts that a server might repeat."""
    texts = [content.decode("utf-8", "replace").strip() for content in read.files.values()]
    parts = [part for text in texts for part in (text.partition(":")[2], _path(text)) if len(part) >= 4]
    return [*texts, *parts]


def _path(text: str) -> str:
    """Of a URL that is a secret, its path and query are."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "") if parts.scheme else ""


def _mail(email: Email, notice: Notice, read: Reading) -> MailCall:
    login = None
    if email.login_file is not None:
        user, colon, password = _text(read, email.login_file).partition(":")
        if not user or not colon or not password:
            raise UnusableSecretError(f"secret file {email.login_file} holds no USER:PASSWORD")
        login = user, password
    ca = _read(read, email.ca).decode("ascii", "replace") if email.ca is not None else None
    return MailCall(email, payload.mail(email, notice), login, ca)


def _auth(target: Target, read: Reading) -> dict[str, str]:
    auth = target.auth
    return {auth.header: auth.value_prefix + _text(read, auth.file)} if auth is not None else {}


def _text(read: Reading, name: str) -> str:
    """Without white space at its ends; one line."""
    try:
        text = _read(read, name).decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        raise UnusableSecretError(f"secret file {name} holds no line of text")
    return text


def _read(read: Reading, name: str) -> bytes:
    if fault := read.faults.get(name, ""):
        raise UnusableSecretError(fault)
    return read.files[name]
