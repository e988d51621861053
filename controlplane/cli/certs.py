"""`serinus certs`: a laptop CA, so that TLS is one command away. Works offline, talks to no control plane.

One directory per party, each complete in itself: copy `DIR/envoy` to the machine of an Envoy and nothing else.
`DIR/trust` holds the CA's certificate for those who only verify (Prometheus); `DIR/ca` its key, which no running
process needs.
"""

import contextlib
import ipaddress
import os
import re
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from controlplane.security.ca import (
    CLIENTS,
    SERVER,
    SIDECAR,
    Authority,
    Issued,
    days_left,
    issue_client,
    issue_server,
    issue_sidecar,
    load_authority,
    make_authority,
    served_hosts,
)
from controlplane.security.identity import spiffe_id

app = typer.Typer(
    help="A laptop CA: certificates for control plane, Envoy, sidecar and operator.", no_args_is_help=True
)

# `--renew` keeps what has a third of `--days` left: 30 days of 90, so a monthly run never misses the end.
RENEW_SHARE = 1 / 3
# Names as DNS and certificates write them (a wildcard only as the whole first label), or an IPv4/IPv6 address.
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:.]{2,45}")
ROLES = (SIDECAR, *CLIENTS)
_PARTIES = (SERVER, *ROLES)
# What may stand in a SPIFFE ID as one segment of its path, and be the name of a directory.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_FILES = ("ca.pem", "cert.pem", "key.pem")


@app.callback()
def _group() -> None:
    """A laptop CA: certificates for control plane, Envoy, sidecar and operator."""


@app.command(epilog="Example: serinus certs init --dir certs --host controlplane")
def init(
    directory: Annotated[
        Path,
        typer.Option("--dir", envvar="SERINUS_CERTS_DIR", help="Where the certificates go, a directory per party."),
    ],
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="A further name or IP address under which clients reach the control plane."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long everything is valid.")] = 90,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Keep what is there if complete and a third of --days is left.")
    ] = False,
) -> None:
    """Make a CA, the control plane's certificate, and a client certificate for envoy, sidecar and operator."""
    now_ms = time.time_ns() // 1_000_000
    hosts = [_host(text) for text in host or []]
    present = sorted(path for path in directory.glob("*/*.pem") if path.is_file())
    if present and not (force or renew):
        _fail(f"{present[0]} exists", f"say --renew, or --force to replace all of {directory}")
    if present and not force and _still_good(directory, hosts, days_min=days * RENEW_SHARE, now_ms=now_ms):
        typer.echo(f"{directory}: complete, and good for {days * RENEW_SHARE:.0f} days or more; kept")
        return
    try:
        _write_all(directory, hosts, days=days, now_ms=now_ms)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", "choose a --dir that you may write to")
    server = directory / SERVER
    typer.echo(f"{directory}: a CA and certificates for {', '.join(_PARTIES)}, valid {days} days")
    typer.echo(f"next: --tls-ca {server}/ca.pem --tls-cert {server}/cert.pem --tls-key {server}/key.pem")


@app.command(epilog="Example: serinus certs issue envoy edge-1 --dir certs")
def issue(
    role: Annotated[str, typer.Argument(help="envoy, sidecar, viewer, operator or admin.")],
    name: Annotated[str, typer.Argument(help="The node's id, or the person's name: it is good for that one alone.")],
    directory: Annotated[
        Path, typer.Option("--dir", envvar="SERINUS_CERTS_DIR", help="The directory of `serinus certs init`.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Make a certificate for one node or person, by the CA of `certs init`; it ends with the CA."""
    now_ms = time.time_ns() // 1_000_000
    if role not in ROLES:
        _fail(f"no role {role!r}", f"one of {', '.join(ROLES)}")
    if _NAME.fullmatch(name) is None:
        _fail(f"{name!r} is no name of a node or person", "letters, digits, . _ and -, at most 253 of them")
    place = directory / f"{role}-{name}"
    if place.exists() and not force:
        _fail(f"{place} exists", "say --force to replace it")
    try:
        ca_pem, key_pem = ((directory / "ca" / file).read_bytes() for file in ("cert.pem", "key.pem"))
        authority = load_authority(ca_pem, key_pem, now_ms=now_ms)
        _write_party(place, authority, _issued(authority, role, name, now_ms=now_ms))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", f"serinus certs init --dir {directory}")
    except ValueError:
        _fail(f"{directory}/ca holds no CA that could sign", f"serinus certs init --dir {directory} --force")
    typer.echo(f"{place}: {spiffe_id(role, name)}, valid {authority.days} days")


def _issued(authority: Authority, role: str, name: str = "", *, now_ms: int) -> Issued:
    if role == SIDECAR:
        return issue_sidecar(authority, now_ms=now_ms, name=name)
    return issue_client(authority, role, now_ms=now_ms, name=name)


def _named(directory: Path) -> list[tuple[str, str]]:
    """Roles and names that `issue` has made certificates for."""
    found = [path.parent.name.partition("-") for path in sorted(directory.glob("*-*/cert.pem"))]
    return [(role, name) for role, _, name in found if role in ROLES and _NAME.fullmatch(name)]


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is not a host name or IP address", param_hint="--host")
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text))  # one spelling, so that `--renew` finds it again
    return text


def _fail(message: str, next_step: str) -> NoReturn:
    typer.echo(f"error: {message}; next: {next_step}", err=True)
    raise typer.Exit(1)


def _still_good(directory: Path, hosts: list[str], *, days_min: float, now_ms: int) -> bool:
    try:
        for party in _PARTIES:
            ca, cert, _key = ((directory / party / name).read_bytes() for name in _FILES)
            if min(days_left(pem, now_ms=now_ms) for pem in (ca, cert)) < days_min:
                return False
            if party == SERVER and not set(hosts) <= served_hosts(cert):
                return False
    except (OSError, ValueError):
        return False
    return True


def _write_all(directory: Path, hosts: list[str], *, days: int, now_ms: int) -> None:
    authority = make_authority(now_ms=now_ms, days=days)
    ca = authority.issued
    parties = {SERVER: issue_server(authority, hosts=hosts, now_ms=now_ms)}
    parties |= {role: _issued(authority, role, now_ms=now_ms) for role in ROLES}
    parties |= {f"{role}-{name}": _issued(authority, role, name, now_ms=now_ms) for role, name in _named(directory)}
    _write(directory / "trust" / "ca.pem", ca.cert_pem, mode=0o644)
    _write(directory / "ca" / "cert.pem", ca.cert_pem, mode=0o644)
    _write(directory / "ca" / "key.pem", ca.key_pem, mode=0o600)
    for party, issued in parties.items():
        _write_party(directory / party, authority, issued)


def _write_party(place: Path, authority: Authority, issued: Issued) -> None:
    _write(place / "ca.pem", authority.issued.cert_pem, mode=0o644)
    _write(place / "cert.pem", issued.cert_pem, mode=0o644)
    _write(place / "key.pem", issued.key_pem, mode=0o600)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replaces the file as a whole; a key is never on disk with wider rights than `mode`, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.replace(path)
