"""`serinus access`: tokens for the admin API, in the file that the control plane reads. Works offline on that file.

A token is printed once, on standard output, and nowhere kept; the file has its hash.
"""

import contextlib
import datetime
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from controlplane.admin.access.client import read_tokens
from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, emit, table
from controlplane.clock import SystemClock
from controlplane.errors import SerinusError
from controlplane.manifest.units import parse_duration_ms
from controlplane.security.access import SECRET_BYTES, Token, mint, render

app = typer.Typer(help="Tokens for the admin API: who may read, release, or see who did what.", no_args_is_help=True)

File = Annotated[
    Path, typer.Option("--file", envvar="SERINUS_TOKENS", help="The file of `serinus controlplane --tokens`.")
]
Name = Annotated[str, typer.Argument(help="Whose token it is; it stands in the audit.")]


@app.command(epilog="Example: serinus access add ann --role operator --file tokens")
def add(
    name: Name,
    file: File,
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "viewer",
    ttl: Annotated[str, typer.Option(help="How long it is good, with its unit.")] = "2160h",
    replace: Annotated[bool, typer.Option("--replace", help="The token of this name ends, this one begins.")] = False,
) -> None:
    """Make a token and print it; the file gets its hash. In force at once."""
    with _told():
        try:
            ttl_s = parse_duration_ms(ttl) // 1_000
        except ValueError as error:
            raise fail(f"--ttl: {error}", code=EXIT_USAGE) from None
        kept = list(read_tokens(file)) if file.exists() else []
        if any(token.name == name for token in kept) and not replace:
            raise fail(f"{file} has a token {name}; next: --replace, or another name", code=EXIT_USAGE)
        expires_s = SystemClock().now_ms() // 1_000 + ttl_s
        text, token = mint(name, role, secret=secrets.token_bytes(SECRET_BYTES), expires_s=expires_s)
        _write(file, [*(one for one in kept if one.name != name), token])
    typer.echo(text)
    typer.echo(f"role {role}, good until {_day(token)}; not shown again: put it into SERINUS_TOKEN_FILE", err=True)


@app.command("list", epilog="Example: serinus access list --file tokens")
def listed(file: File, output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE) -> None:
    """Whose tokens the file has, and until when."""
    with _told():
        tokens = read_tokens(file)
    if output is not Output.TABLE:
        emit([{"name": one.name, "role": one.role, "expires_s": one.expires_s} for one in tokens], output)
        return
    table(("NAME", "ROLE", "UNTIL"), [(one.name, one.role, _day(one)) for one in tokens])


@app.command(epilog="Example: serinus access remove ann --file tokens")
def remove(name: Name, file: File) -> None:
    """Take a token out; it is of no use from the next call on."""
    with _told():
        tokens = read_tokens(file)
        if all(token.name != name for token in tokens):
            raise fail(f"{file} has no token {name}; next: serinus access list", code=EXIT_USAGE)
        _write(file, [token for token in tokens if token.name != name])
    typer.echo(f"token {name} removed")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SerinusError as error:
        raise fail(str(error)) from None
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}; next: give a --file that you may write to") from None


def _day(token: Token) -> str:
    return datetime.datetime.fromtimestamp(token.expires_s, tz=datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _write(path: Path, tokens: list[Token]) -> None:
    """As a whole, and never wider than 0600: the control plane may read it at any moment."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(render(tokens))
    fresh.replace(path)
