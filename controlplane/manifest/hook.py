"""HTTP calls that a rollout makes: what is called when, for how long, how often. Secrets are named, never written."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from controlplane.manifest.credential import UpstreamAuth
from controlplane.manifest.field import Spec, TimerMs, as_tuple

URL_CHARS_MAX = 2_000
TIMEOUT_MS_MAX = 600_000


def parse_url(value: object) -> object:
    """An address that we call by HTTP. Raises ValueError on another form, and on one that holds a password."""
    if not isinstance(value, str) or len(value) > URL_CHARS_MAX or not value.isascii() or not value.isprintable():
        raise ValueError(f"{value!r} is not a URL")
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(f"{value!r} is not a URL") from None
    if not is_whole or " " in value or parts.fragment:
        raise ValueError(
            f"{value!r} is not a URL; write http:// or https:// with a host, for example http://127.0.0.1:9000/gate"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a password would be stored and shown; next: name a file by `auth: {file: …}`")
    return value


def _bounded(timeout_ms: int) -> int:
    if timeout_ms > TIMEOUT_MS_MAX:
        raise ValueError("a hook answers within 10m; what takes longer answers early and is asked again")
    return timeout_ms


class Hook(Spec):
    """POST with a JSON body. 2xx is yes; another 4xx than 408, 425 and 429 is no; anything else is tried again."""

    url: Annotated[str, BeforeValidator(parse_url)]
    timeout_ms: Annotated[TimerMs, AfterValidator(_bounded)] = Field(default=10_000, alias="timeout")
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    # A header from a file of the control plane's secrets directory.
    auth: UpstreamAuth | None = None


HookList = Annotated[tuple[Hook, ...], BeforeValidator(as_tuple), Field(max_length=10)]


class Hooks(Spec):
    """In their order, one after another; the first that fails ends the list."""

    before_start: HookList = ()
    before_step: HookList = ()
    after_promote: HookList = ()
    after_rollback: HookList = ()
