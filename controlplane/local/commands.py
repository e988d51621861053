"""The command lines of the three processes. Pure; a port with stand-ins for tests (`Commands`)."""

import os
import sys
from pathlib import Path
from typing import Protocol

from controlplane.local.processes import ChildSpec
from controlplane.local.rundir import RunDir
from controlplane.local.settings import StackSettings
from controlplane.security.listen import parse_listen
from controlplane.snapshot.bootstrap import BootstrapSettings, envoy_arguments, read_template, render

CONTROLPLANE, EXTPROC, ENVOY = "controlplane", "extproc", "envoy"

# Envoy ends listeners this long after it was asked to drain; the stack ends it as soon as no request is left.
ENVOY_DRAIN_S = 10
# Two workers carry 7,000 tagged requests a second on two cores, far above what a model server on one machine answers;
# each worker holds connections, access-log streams and health checks of its own.
ENVOY_WORKERS_MAX = 2


class Commands(Protocol):
    """How each process is started."""

    def controlplane(self, settings: StackSettings, run: RunDir, /) -> ChildSpec: ...

    def extproc(self, settings: StackSettings, run: RunDir, /) -> ChildSpec: ...

    def envoy(self, settings: StackSettings, run: RunDir, /) -> ChildSpec: ...


class ShippedCommands:
    """Serinus itself, by this interpreter, and the given Envoy binary."""

    def __init__(self, envoy: Path) -> None:
        self._envoy = envoy

    def controlplane(self, settings: StackSettings, run: RunDir) -> ChildSpec:
        """A restart leaves the manifests out: an operator may have changed things since, and the store knows."""
        argv = (
            *(sys.executable, "-m", "controlplane", "controlplane"),
            *("--state", str(settings.state_dir)),
            *("--admin", settings.admin, "--xds", settings.xds, "--http", settings.http),
            *("--listen", settings.listen),
            *(("--secrets", str(settings.secrets_dir)) if settings.secrets_dir else ()),
            *(("--insecure",) if settings.insecure else ()),
        )
        manifests = tuple(word for path in settings.manifests for word in ("--manifest", str(path)))
        return ChildSpec(CONTROLPLANE, argv + manifests, run.log(CONTROLPLANE), argv_again=argv)

    def extproc(self, settings: StackSettings, run: RunDir) -> ChildSpec:
        argv = (
            *(sys.executable, "-m", "extproc"),
            *("--socket", str(run.socket), "--run-dir", str(run.run)),
            *("--controlplane", settings.xds, "--http", settings.sidecar_http),
            *("--envoy-admin", settings.envoy_admin),
            *("--node-id", settings.node_id, "--node-cluster", settings.node_cluster),
            *(("--insecure",) if settings.insecure else ()),
        )
        return ChildSpec(EXTPROC, argv, run.log(EXTPROC))

    def envoy(self, _settings: StackSettings, run: RunDir) -> ChildSpec:
        workers = min(ENVOY_WORKERS_MAX, os.cpu_count() or 1)
        argv = (
            str(self._envoy),
            *envoy_arguments(str(run.bootstrap), workers=workers),
            # Every connection is told to close at its next response, not a growing share of them.
            *("--drain-strategy", "immediate", "--drain-time-s", str(ENVOY_DRAIN_S)),
        )
        return ChildSpec(ENVOY, argv, run.log(ENVOY))


def bootstrap_text(settings: StackSettings, socket: Path) -> str:
    """Envoy's bootstrap for this stack. Raises BootstrapError."""
    xds, admin = (
        parse_listen(settings.xds, flag="--xds"),
        parse_listen(settings.envoy_admin, flag="--envoy-admin"),
    )
    return render(
        read_template(),
        BootstrapSettings(
            node_id=settings.node_id,
            node_cluster=settings.node_cluster,
            sidecar_sockets=(str(socket),),
            admin_host=admin.host,
            admin_port=admin.port,
            xds_host=xds.host,
            xds_port=xds.port,
            xds_mode=settings.xds_mode,
        ),
    )
