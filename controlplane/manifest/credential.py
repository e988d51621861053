"""How the proxies prove to a version's servers who they are, and check who those are: TLS and a credential header.

A manifest only names files. They are read from the control plane's secrets directory and reach the proxies as secrets
of their own (SDS): no content of a file is ever part of a manifest, a log line, a message or a cluster.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controlplane.manifest.field import HeaderName, Spec, as_tuple

# Parts begin with a letter, digit or `_`: neither `..` nor a hidden file can be one.
_FILE_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")
_FILE_NAME_CHARS_MAX = 255
_DNS_NAME = re.compile(
    r"^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$"
)
_URI = re.compile(r"^[a-z][a-z0-9+.-]*://[!-~]{1,2000}$")

AUTHORIZATION = "authorization"
# Envoy writes these itself, or they frame the message: a credential in one of them would break every request.
_HEADERS_TAKEN = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive"}
)
_HEADER_PREFIXES_TAKEN = ("x-serinus-", "x-envoy-")


def _file_name(value: object) -> str:
    if not isinstance(value, str) or len(value) > _FILE_NAME_CHARS_MAX or not _FILE_NAME.match(value):
        raise ValueError(
            f"{value!r} is not the name of a file in the control plane's secrets directory; "
            "write it relative to that directory, for example chat/ca.pem"
        )
    return value


def _server_name(value: str) -> str:
    if not _DNS_NAME.match(value) or _is_ip(value):
        raise ValueError(f"{value!r} is not a DNS name, the only kind that a server can be asked for (RFC 6066)")
    return value


def _subject(value: str) -> str:
    if not (_URI.match(value) or _is_ip(value) or _DNS_NAME.match(value)):
        raise ValueError(f"{value!r} is none of: a DNS name, an IP address, a URI such as spiffe://example.com/models")
    return value


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


FileName = Annotated[str, BeforeValidator(_file_name)]


class UpstreamTls(Spec):
    """TLS to a version's servers. `ca` verifies them; `cert` and `key` are shown to servers that ask (mutual TLS).

    A server's certificate must be for one of `names`; without those for `server_name`; without that for the host of
    one of the version's endpoints. `server_name` is what the server is asked for (SNI); default: the endpoint's name.
    """

    ca: FileName | None = None
    cert: FileName | None = None
    key: FileName | None = None
    server_name: Annotated[str, AfterValidator(_server_name)] | None = None
    names: Annotated[
        tuple[Annotated[str, AfterValidator(_subject)], ...], BeforeValidator(as_tuple), Field(max_length=100)
    ] = ()
    insecure_skip_verify: bool = False

    @model_validator(mode="after")
    def _verified_or_told_not_to(self) -> "UpstreamTls":
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together: give both or none")
        if self.insecure_skip_verify and (self.ca is not None or self.names):
            raise ValueError("insecure_skip_verify excludes ca and names: leave it out and the server is verified")
        if self.ca is None and not self.insecure_skip_verify:
            raise ValueError(
                "tls needs a `ca` to verify the server with; next: name the CA's file, "
                "or write insecure_skip_verify: true to talk to whoever answers"
            )
        return self

    @property
    def files(self) -> Iterator[str]:
        """The files that it names."""
        return (name for name in (self.ca, self.cert, self.key) if name is not None)


class UpstreamAuth(Spec):
    """A credential that the proxies put into every request to a version's servers, in place of what the client sent.

    The header's value is `prefix` and the file's content without white space at its ends. `prefix` None: `Bearer ` for
    `authorization`, nothing for another header.
    """

    header: HeaderName = AUTHORIZATION
    file: FileName
    prefix: Annotated[str, Field(pattern=r"^[ -~]{0,64}$")] | None = None

    @model_validator(mode="after")
    def _header_is_free(self) -> "UpstreamAuth":
        if self.header in _HEADERS_TAKEN or self.header.startswith(_HEADER_PREFIXES_TAKEN):
            raise ValueError(f"header {self.header} is set by the proxy itself; next: the one that your servers read")
        return self

    @property
    def value_prefix(self) -> str:
        if self.prefix is not None:
            return self.prefix
        return "Bearer " if self.header == AUTHORIZATION else ""
