"""Who is told what of a rollout: webhooks, Slack, mail, Alertmanager. Secrets are named by file, never written."""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from controlplane.manifest.credential import FileName, UpstreamAuth
from controlplane.manifest.field import Spec, as_tuple, choice
from controlplane.manifest.hook import parse_url

RECIPIENTS_MAX = 50
# RFC 5321: a path has 256 characters. No white space, comma or angle bracket: nothing that could end a header.
_MAILBOX = re.compile(r"^(?=.{3,254}$)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.\[\]:-]+$")


class Occasion(StrEnum):
    """What can be told. `hold` and `alert` (a rule about the service fires) also tell the end of what was told."""

    STARTED = "started"
    STEP = "step"
    APPROVAL = "approval"
    PAUSED = "paused"
    RESUMED = "resumed"
    HOLD = "hold"
    DRIFT = "drift"
    DRY_RUN = "dry_run"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    ALERT = "alert"


# What a person wants to know without looking; steps and pauses are the ordinary course of things.
BY_DEFAULT = tuple(each for each in Occasion if each not in (Occasion.STEP, Occasion.PAUSED, Occasion.RESUMED))


class TargetKind(StrEnum):
    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"
    ALERTMANAGER = "alertmanager"


class MailTls(StrEnum):
    """`off` is for loopback alone."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    OFF = "off"


def _parse_slack(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("the URL of such a hook is its password; next: put it into a file, `slack: {url_file: NAME}`")
    return value


def _parse_server(value: object) -> object:
    try:
        parts = urlsplit(f"//{value}") if isinstance(value, str) else None
        is_whole = parts is not None and bool(parts.hostname and parts.port) and parts.netloc == value
    except ValueError:
        is_whole = False
    if not is_whole or "@" in str(value):
        raise ValueError(f"{value!r} is no mail server; write HOST:PORT, for example mail.example.com:587")
    return value


def _parse_mailbox(value: object) -> object:
    if not isinstance(value, str) or not _MAILBOX.match(value):
        raise ValueError(f"{value!r} is no mail address; write it without a name, for example ops@example.com")
    return value


def _parse_base(value: object) -> object:
    url = parse_url(value)
    assert isinstance(url, str), "that is what it gives"
    if urlsplit(url).query:
        raise ValueError(f"{value!r} has a query; write Alertmanager's address, for example http://127.0.0.1:9093")
    return url.rstrip("/")


Mailbox = Annotated[str, BeforeValidator(_parse_mailbox)]


class Slack(Spec):
    """Any hook that takes `{"text": …}`."""

    url_file: FileName


class Email(Spec):
    """`login_file` holds `USER:PASSWORD`. `ca` verifies the server; without it the system's authorities do."""

    to: Annotated[tuple[Mailbox, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=RECIPIENTS_MAX)]
    sender: Mailbox = Field(alias="from")
    server: Annotated[str, BeforeValidator(_parse_server)]
    tls: Annotated[MailTls, BeforeValidator(lambda v: choice(MailTls, v))] | None = None
    login_file: FileName | None = None
    ca: FileName | None = None

    @model_validator(mode="after")
    def _protected(self) -> "Email":
        if self.transport is MailTls.OFF and not self.is_local:
            raise ValueError("`tls: off` sends mail in clear, which is for a server on this machine (127.0.0.1, [::1])")
        if self.transport is MailTls.OFF and self.ca is not None:
            raise ValueError("`ca` says nothing without TLS; next: set `tls: starttls`, or leave it out")
        return self

    @property
    def host(self) -> str:
        return urlsplit(f"//{self.server}").hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.server}").port or 0

    @property
    def is_local(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def transport(self) -> MailTls:
        """What was asked for; else STARTTLS, but on loopback."""
        return self.tls or (MailTls.OFF if self.is_local else MailTls.STARTTLS)


class Target(Spec):
    """One of the four. `on` is what it is told."""

    webhook: Annotated[str, BeforeValidator(parse_url)] | None = None
    slack: Annotated[Slack | None, BeforeValidator(_parse_slack)] = None
    email: Email | None = None
    alertmanager: Annotated[str, BeforeValidator(_parse_base)] | None = None
    # Of a webhook: the key that signs it, and of either URL a header from a file.
    key_file: FileName | None = None
    auth: UpstreamAuth | None = None
    on: Annotated[
        tuple[Annotated[Occasion, BeforeValidator(lambda v: choice(Occasion, v))], ...],
        BeforeValidator(as_tuple),
        Field(min_length=1, max_length=len(Occasion)),
    ] = BY_DEFAULT

    @model_validator(mode="after")
    def _one(self) -> "Target":
        kinds = [kind for kind in TargetKind if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(
                f"each of `notify` is one of {', '.join(TargetKind)}; this is {' and '.join(kinds) or 'none'}"
            )
        if self.key_file is not None and self.webhook is None:
            raise ValueError("key_file signs a webhook; no other receiver looks for a signature")
        if self.auth is not None and self.kind not in (TargetKind.WEBHOOK, TargetKind.ALERTMANAGER):
            raise ValueError("auth is a header of a webhook or of Alertmanager")
        return self

    @property
    def kind(self) -> TargetKind:
        return next(kind for kind in TargetKind if getattr(self, kind) is not None)

    @property
    def files(self) -> frozenset[str]:
        """The files of the secrets directory that it names."""
        named = [self.key_file, self.auth.file if self.auth else None, self.slack.url_file if self.slack else None]
        named += [self.email.login_file, self.email.ca] if self.email else []
        return frozenset(name for name in named if name is not None)


NotifyList = Annotated[
    tuple[Target, ...], BeforeValidator(lambda value: () if value is None else as_tuple(value)), Field(max_length=10)
]
