"""`serinus controlplane`: its flags, each with a variable of the environment, and its start.

Imports stand inside the functions, as in `processes.py`.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.cli.processes import (
    DEFAULT_STATE,
    AdminAddress,
    HttpAddress,
    Insecure,
    Listen,
    Secrets,
    State,
    TlsCa,
    TlsCert,
    TlsKey,
    XdsAddress,
    run,
)
from controlplane.errors import SerinusError
from controlplane.settings import PROXY_TIMEOUT_S, ControlPlaneSettings, tls_files

ProxyTimeout = Annotated[
    float,
    typer.Option(
        "--proxy-timeout",
        envvar="SERINUS_PROXY_TIMEOUT",
        help="Seconds after which a proxy that is away or slow no longer keeps a change from the others.",
    ),
]


class AdminTls(StrEnum):
    """Whether callers of the admin API show a certificate (with TLS), or only the control plane does."""

    MUTUAL = "mutual"
    SERVER = "server"


class LogFormat(StrEnum):
    """Of the lines on standard error: all are JSON."""

    JSON = "json"
    ECS = "ecs"


Tokens = Annotated[
    Path | None,
    typer.Option("--tokens", envvar="SERINUS_TOKENS", help="File of access tokens, made by `serinus access add`."),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="SERINUS_STORE",
        help="postgresql://USER@HOST:PORT/DATABASE, for several control planes; default: SQLite in --state.",
    ),
]
AdminTlsOption = Annotated[
    AdminTls,
    typer.Option("--admin-tls", envvar="SERINUS_ADMIN_TLS", help="server: callers show a token and no certificate."),
]

ServerLogs = Annotated[
    Path | None,
    typer.Option(
        "--server-logs", envvar="SERINUS_SERVER_LOGS", help="Directory of the server logs that manifests may name."
    ),
]
ServerUnits = Annotated[
    list[str] | None,
    typer.Option("--server-unit", envvar="SERINUS_SERVER_UNITS", help="Glob of journald units that they may name."),
]

Otlp = Annotated[
    str | None,
    typer.Option("--otlp", envvar="SERINUS_OTLP", help="http://HOST:4318 that gets traces and metrics; default: none."),
]
OtlpHeaders = Annotated[
    Path | None,
    typer.Option("--otlp-headers", envvar="SERINUS_OTLP_HEADERS", help="File of NAME: VALUE lines sent with them."),
]

Manifests = Annotated[list[Path] | None, typer.Option("--manifest", help="Applied at the start; may be repeated.")]
LogLevel = Annotated[str, typer.Option("--log-level", envvar="SERINUS_LOG_LEVEL")]
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", envvar="SERINUS_LOG_FORMAT", help="ecs: the Elastic Common Schema.")
]


def controlplane(
    state: State = DEFAULT_STATE,
    store: Store = None,
    admin: AdminAddress = "127.0.0.1:7400",
    xds: XdsAddress = "127.0.0.1:7401",
    http: HttpAddress = "127.0.0.1:7402",
    listen: Listen = "127.0.0.1:8080",
    manifest: Manifests = None,
    secrets: Secrets = None,
    server_logs: ServerLogs = None,
    server_unit: ServerUnits = None,
    otlp: Otlp = None,
    otlp_headers: OtlpHeaders = None,
    proxy_timeout: ProxyTimeout = PROXY_TIMEOUT_S,
    tokens: Tokens = None,
    admin_tls: AdminTlsOption = AdminTls.MUTUAL,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    insecure: Insecure = False,
    log_level: LogLevel = "INFO",
    log_format: LogFormatOption = LogFormat.JSON,
) -> None:
    """The control plane: xDS, rollouts, judge, admin API. Example: serinus controlplane --state /var/lib/serinus"""
    _serve(
        lambda: ControlPlaneSettings(
            state_dir=state.expanduser(),
            store=store,
            admin=admin,
            xds=xds,
            http=http,
            listen=listen,
            manifests=tuple(manifest or ()),
            tls=tls_files(tls_ca, tls_cert, tls_key),
            insecure=insecure,
            secrets_dir=secrets.expanduser() if secrets else None,
            server_logs=server_logs.expanduser() if server_logs else None,
            server_units=tuple(server_unit or ()),
            otlp=otlp,
            otlp_headers=otlp_headers.expanduser() if otlp_headers else None,
            proxy_timeout_s=proxy_timeout,
            tokens=tokens.expanduser() if tokens else None,
            admin_asks_certificate=admin_tls is AdminTls.MUTUAL,
        ),
        log_level,
        log_format,
    )


def _serve(settings: Callable[[], ControlPlaneSettings], log_level: str, log_format: LogFormat) -> None:
    from controlplane.app import serve
    from controlplane.telemetry.exporter import configure_logging

    configure_logging(log_level, ecs=log_format is LogFormat.ECS)
    try:
        checked = settings()
    except SerinusError as error:
        raise fail(str(error), code=EXIT_USAGE) from error
    run(serve(checked), _fast_loop())


def _fast_loop() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """uvloop where it is: it takes a tenth off the CPU of a push to a thousand proxies."""
    if sys.platform != "linux":
        return asyncio.run
    import uvloop

    return cast(Callable[[Coroutine[Any, Any, Any]], Any], uvloop.run)
