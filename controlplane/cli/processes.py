"""demo, up, extproc, bootstrap: what starts processes, or prints what they start with.

Imports stand inside the functions: Envoy's message classes, scipy and matplotlib take a second to load, which
`serinus get` and shell completion must not pay.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.errors import SerinusError
from controlplane.security.listen import parse_listen
from controlplane.settings import tls_files
from controlplane.snapshot.mode import Mode
from serinus.contract.workers import WORKERS_MAX, worker_sockets

TlsCa = Annotated[Path | None, typer.Option("--tls-ca", envvar="SERINUS_TLS_CA", help="CA of the peers (PEM).")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", envvar="SERINUS_TLS_CERT", help="Own certificate (PEM).")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", envvar="SERINUS_TLS_KEY", help="Own key (PEM).")]
State = Annotated[Path, typer.Option("--state", envvar="SERINUS_STATE", help="Directory of the state.")]
AdminAddress = Annotated[str, typer.Option("--admin", envvar="SERINUS_ADMIN", help="Admin API, HOST:PORT.")]
XdsAddress = Annotated[
    str, typer.Option("--xds", envvar="SERINUS_XDS", help="xDS and the sidecars' stream, HOST:PORT.")
]
HttpAddress = Annotated[
    str, typer.Option("--http", envvar="SERINUS_HTTP", help="/metrics, /healthz, /readyz, HOST:PORT.")
]
Listen = Annotated[str, typer.Option("--listen", envvar="SERINUS_LISTEN", help="Where Envoy listens for users.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", envvar="SERINUS_INSECURE", help="Listen beyond loopback without TLS, knowingly.")
]
Secrets = Annotated[
    Path | None,
    typer.Option(
        "--secrets",
        envvar="SERINUS_SECRETS",
        help="Directory of the CA, certificate and credential files that manifests name; default: STATE/secrets.",
    ),
]


DEFAULT_STATE = Path("~/.local/state/serinus")


def demo(
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Built-in model servers at a higher rate; about a minute.")
    ] = False,
    rate: Annotated[
        float, typer.Option("--rate", min=10, max=1000, help="Requests per second, with --simulated.")
    ] = 200.0,
    act: Annotated[str, typer.Option("--act", help="good, bad or all.")] = "all",
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    state: Annotated[Path | None, typer.Option("--state", help="Working directory; default: a temporary one.")] = None,
    report: Annotated[Path, typer.Option("--report", help="Directory of the report.")] = Path("reports"),
) -> None:
    """The main job on real parts: a good candidate promoted, a broken one rolled back.

    Example: serinus demo --simulated
    """
    from controlplane.cli.view import plain_line, render_rollout
    from controlplane.local.demo.run import DemoOptions, run_demo
    from controlplane.local.demo.screen import Views

    if act not in ("good", "bad", "all") or output not in ("table", "json"):
        raise fail("--act is good, bad or all; -o is table or json", code=EXIT_USAGE)
    options = DemoOptions(
        rate_per_s=rate, simulated=simulated, act=act, output=output, state_dir=state, report_dir=report
    )
    raise typer.Exit(run(run_demo(options, Views(render_rollout, plain_line))))


def up(
    filename: Annotated[list[Path], typer.Option("--filename", "-f", help="Manifest file; may be repeated.")],
    listen: Listen = "127.0.0.1:8080",
    state: State = DEFAULT_STATE,
    admin: AdminAddress = "127.0.0.1:7400",
    xds: XdsAddress = "127.0.0.1:7401",
    http: HttpAddress = "127.0.0.1:7402",
    sidecar_http: Annotated[str, typer.Option("--sidecar-http", envvar="SERINUS_SIDECAR_HTTP")] = "127.0.0.1:7412",
    envoy_admin: Annotated[str, typer.Option("--envoy-admin", envvar="SERINUS_ENVOY_ADMIN")] = "127.0.0.1:7420",
    secrets: Secrets = None,
    insecure: Insecure = False,
) -> None:
    """Control plane, sidecar and Envoy on this machine, in front of your own servers. Ctrl-C drains.

    Example: serinus up -f chat.yaml --listen 127.0.0.1:8080
    """
    from controlplane.local.settings import StackSettings
    from controlplane.local.up import run_up

    for path in filename:
        if not path.is_file():
            raise fail(f"{path}: no such file", code=EXIT_USAGE)
    settings = StackSettings(
        state_dir=state.expanduser(),
        listen=listen,
        admin=admin,
        xds=xds,
        http=http,
        sidecar_http=sidecar_http,
        envoy_admin=envoy_admin,
        manifests=tuple(filename),
        secrets_dir=secrets.expanduser() if secrets else None,
        insecure=insecure,
    )
    raise typer.Exit(run(run_up(settings)))


def extproc(context: typer.Context) -> None:
    """The sidecar: tags requests, reads access logs, reports outcomes. Example: serinus extproc --help"""
    # A process of its own: the planes never import each other.
    os.execv(sys.executable, [sys.executable, "-m", "extproc", *context.args])


def bootstrap(
    node_id: Annotated[str, typer.Option("--node-id", envvar="SERINUS_NODE_ID", help="This Envoy's name.")] = "local",
    node_cluster: Annotated[
        str, typer.Option("--node-cluster", envvar="SERINUS_NODE_CLUSTER", help="Its proxy group.")
    ] = ("default"),
    xds: XdsAddress = "127.0.0.1:7401",
    socket: Annotated[str, typer.Option("--socket", envvar="SERINUS_SOCKET", help="The sidecar's Unix socket.")] = (
        "/run/serinus/extproc.sock"
    ),
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=WORKERS_MAX, envvar="SERINUS_WORKERS", help="As the sidecar's.")
    ] = 1,
    envoy_admin: Annotated[str, typer.Option("--envoy-admin", envvar="SERINUS_ENVOY_ADMIN")] = "127.0.0.1:7420",
    xds_mode: Annotated[
        Mode,
        typer.Option(
            "--xds-mode", envvar="SERINUS_XDS_MODE", help="delta: only what changes. sotw: state of the world."
        ),
    ] = Mode.DELTA,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
) -> None:
    """Print an Envoy bootstrap (YAML). Example: serinus bootstrap --node-id edge-1 > envoy.yaml"""
    from controlplane.snapshot.bootstrap import BootstrapSettings, ClientTls, read_template, render

    try:
        xds_at = parse_listen(xds, flag="--xds")
        admin_at = parse_listen(envoy_admin, flag="--envoy-admin")
        tls = tls_files(tls_ca, tls_cert, tls_key)
        settings = BootstrapSettings(
            node_id=node_id,
            node_cluster=node_cluster,
            sidecar_sockets=worker_sockets(socket, workers),
            xds_host=xds_at.host,
            xds_port=xds_at.port,
            admin_host=admin_at.host,
            admin_port=admin_at.port,
            xds_mode=xds_mode,
            tls=ClientTls(str(tls.ca), str(tls.cert), str(tls.key)) if tls else None,
        )
        typer.echo(render(read_template(), settings))
    except SerinusError as error:
        raise fail(str(error), code=EXIT_USAGE) from error


def run(work: Coroutine[Any, Any, int | None], runner: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run) -> int:
    """Run an async command; typed errors become one line and exit code 1."""
    try:
        return runner(work) or 0
    except SerinusError as error:
        raise fail(str(error)) from error
    except KeyboardInterrupt:
        return 130
