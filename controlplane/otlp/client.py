"""One request of OTLP over HTTP (protobuf): bounded in time and in what is read; no redirect is followed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import aiohttp

from controlplane.settings import SettingsError

TIMEOUT_S = 10.0  # OpenTelemetry's default (OTEL_EXPORTER_OTLP_TIMEOUT)
BODY_BYTES_MAX = 64 * 1024
# "All other 4xx or 5xx response status codes MUST NOT be retried" (OTLP specification, OTLP/HTTP Response).
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_AGAIN = frozenset({429, 502, 503, 504})


def read_headers(path: Path) -> dict[str, str]:
    """`NAME: VALUE` lines of a file, such as `authorization: Bearer …`. Raises SettingsError, which shows no value."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(f"--otlp-headers {path} cannot be read: {reason}") from None
    headers = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip():
            continue
        if not colon or not _HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise SettingsError(f"--otlp-headers {path}, line {number}: no header", next_step="write NAME: VALUE")
        headers[name.lower()] = value
    return headers


class Outcome(StrEnum):
    TAKEN = "taken"
    AGAIN = "again"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reply:
    outcome: Outcome
    fault: str = ""
    body: bytes = b""


class OtlpClient:
    """`url`: of the receiver, without /v1/…. `headers`: of each request."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._headers = url.rstrip("/"), {**headers, "content-type": "application/x-protobuf"}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def send(self, signal: str, body: bytes) -> Reply:
        """`signal`: traces or metrics. Never raises for what a server or the network does."""
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, trust_env=False) as session,
                session.post(
                    f"{self._url}/v1/{signal}", data=body, headers=self._headers, allow_redirects=False
                ) as answer,
            ):
                if answer.status in _AGAIN:
                    return Reply(Outcome.AGAIN, f"it answered {answer.status}")
                if answer.status != 200:
                    return Reply(Outcome.REFUSED, f"it answered {answer.status}")
                return Reply(Outcome.TAKEN, body=await answer.content.read(BODY_BYTES_MAX))
        except TimeoutError:
            return Reply(Outcome.AGAIN, f"no answer within {self._timeout.total:g} s")
        except aiohttp.ClientConnectorError as error:
            return Reply(Outcome.AGAIN, error.os_error.strerror or "cannot connect")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The words of these may repeat a header, which holds a credential.
            return Reply(Outcome.AGAIN, type(error).__name__)
