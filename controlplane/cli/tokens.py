"""`serinus token`: a tester's token. Works offline, talks to no control plane: whoever has the key may mint."""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.clock import SystemClock
from controlplane.manifest.units import parse_duration_ms
from serinus.contract.headers import TOKEN
from serinus.contract.token import CLOCK_SKEW_S, Claims, keys_of, mint

# Of key files and subjects alike: what is longer is neither.
_FILE_BYTES_MAX = 8 * 1024


def token(
    service: Annotated[str, typer.Option(help="The service that the tester may ask.")],
    version: Annotated[str, typer.Option(help="The version that the tester gets.")],
    key_file: Annotated[
        Path, typer.Option(envvar="SERINUS_TOKEN_KEY_FILE", help="The keys, one a line; the first one signs.")
    ],
    ttl: Annotated[str, typer.Option(help="How long it is valid, with its unit; at most 720h.")] = "1h",
    subject: Annotated[str, typer.Option(help="For whom it is: a label inside the token.")] = "",
) -> None:
    """A token for one version. Example: serinus token --service chat --version v2 --key-file testers.key"""
    try:
        ttl_s = parse_duration_ms(ttl) // 1_000
    except ValueError as error:
        raise fail(f"--ttl: {error}", code=EXIT_USAGE) from None
    now_s = SystemClock().now_ms() // 1_000
    try:
        with key_file.open("rb") as file:
            keys = keys_of(file.read(_FILE_BYTES_MAX + 1))
        text = mint(keys[0], Claims(service, version, subject, now_s, now_s + ttl_s))
    except OSError as error:
        raise fail(f"--key-file {key_file}: {error.strerror}; next: `openssl rand -hex 32 > {key_file}`") from None
    except ValueError as error:
        raise fail(f"no token: {error}", code=EXIT_USAGE) from None
    typer.echo(text)
    note = f"send it as the header {TOKEN}; valid for {ttl}, and {CLOCK_SKEW_S} s more for clocks that stand apart"
    typer.echo(note, err=True)
