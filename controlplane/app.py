"""The control plane's composition root: the only place that wires the parts together."""

import asyncio
import contextlib
import gc
import logging
import signal
from concurrent.futures import ThreadPoolExecutor

import grpc

from controlplane.admin import server as admin
from controlplane.admin.access.client import TokenFile
from controlplane.admin.access.server import Door
from controlplane.admin.direct.server import DirectCalls
from controlplane.clock import SystemClock
from controlplane.dashboard.server import HttpServer
from controlplane.dashboard.web.moves import Moves
from controlplane.dashboard.web.server import Dashboard
from controlplane.engine.history.runner import HistoryRunner
from controlplane.engine.hooks.client import HookClient
from controlplane.engine.leadership.runner import Leadership
from controlplane.engine.promql.client import ask
from controlplane.engine.promql.runner import QueryRunner
from controlplane.engine.runner import Engine
from controlplane.engine.secret_files.client import SecretDirectory
from controlplane.engine.secrets import credential_of
from controlplane.engine.series import refresh
from controlplane.engine.world import World
from controlplane.ingest.server import OutcomesServicer
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.schema import ServiceSpec
from controlplane.notify.client import Sender
from controlplane.notify.lanes.runner import Lanes
from controlplane.notify.runner import NotifyRunner
from controlplane.notify.server import AlertServer
from controlplane.otlp.app import otlp_runner
from controlplane.security.identity import LOCAL, Caller, Identity
from controlplane.security.listen import parse_listen, require_safe_listen
from controlplane.security.server import SERVER_OPTIONS, server_credentials
from controlplane.settings import ControlPlaneSettings, SettingsError
from controlplane.signals.logs.runner import LogRunner
from controlplane.signals.logs.targets import log_targets_of
from controlplane.signals.probes.book import probes_of
from controlplane.signals.probes.client import ask as ask_probe
from controlplane.signals.probes.runner import ProbeRunner
from controlplane.signals.runner import SignalRunner
from controlplane.signals.targets import targets_of
from controlplane.snapshot.errors import SnapshotError
from controlplane.snapshot.model import Gateway
from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import DATABASE, SqliteStore
from controlplane.telemetry.exporter import Exporter
from controlplane.xds.server import AdsServer
from serinus.v1 import outcomes_pb2_grpc

log = logging.getLogger("serinus")

# Streams are cut after this when the process ends; Envoy keeps serving and reconnects to the next one.
STOP_GRACE_S = 1.0
# Names are looked up in threads, for hooks, probes and receivers alike; asyncio's own are six on two cores, and a
# resolver that hangs would keep an apply waiting for one.
THREADS = 64
BY_FLAG = Caller(LOCAL, "this machine", "the --manifest flag")
# Python's own are 700, 10, 10. Garbage in cycles is rare here, the rest goes at once: 50,000 objects are some 10 MB.
COLLECTOR_THRESHOLDS = (50_000, 20, 20)


class ControlPlane:
    """One process. `start` raises SerinusError with the next step; nothing is left running then."""

    def __init__(self, settings: ControlPlaneSettings) -> None:
        self._settings = settings
        has_tls = settings.tls is not None
        for flag, address in (("--admin", settings.admin), ("--xds", settings.xds)):
            require_safe_listen(address, has_tls=has_tls, insecure=settings.insecure, flag=flag)
        require_safe_listen(settings.http, has_tls=False, insecure=settings.insecure, flag="--http")
        listen = parse_listen(settings.listen, flag="--listen")
        tokens = TokenFile(settings.tokens).tokens if settings.tokens is not None else None
        self._door = Door(has_tls=has_tls, tokens=tokens, clock=SystemClock())
        self._exporter = Exporter()
        self._ads = AdsServer()
        shared = PostgresStore(settings.store) if settings.store is not None else None
        store = shared or SqliteStore(settings.state_dir / DATABASE)
        self.engine = Engine(
            store=store,
            ads=self._ads,
            clock=SystemClock(),
            gateway=Gateway(listen_host=listen.host, listen_port=listen.port),
            exporter=self._exporter,
            secrets=SecretDirectory(settings.secrets),
            hooks=HookClient(),
            proxy_timeout_s=settings.proxy_timeout_s,
        )
        self._leadership = Leadership(self.engine, shared) if shared is not None else None
        self.notify = NotifyRunner(self.engine, store, self._exporter, self._lanes, is_leading=lambda: self._is_leading)
        self._otlp = otlp_runner(
            settings, self.engine, self._exporter, text=self._metrics, is_leading=lambda: self._is_leading
        )
        self._history = HistoryRunner(self.engine, store, is_leading=lambda: self._is_leading)
        self._alerts = AlertServer(
            self.engine, store, self._exporter, identify=self._who, is_leading=lambda: self._is_leading
        )
        self._pages = Dashboard(
            DirectCalls(self.engine),
            Moves(self.engine),
            tokens=tokens,
            is_open=self._door.identity((), {}) is LOCAL,
            listen_host=parse_listen(settings.http, flag="--http").host,
            clock=SystemClock(),
        )
        beside = [*self._alerts.routes(), *self._pages.routes()]
        self._http = HttpServer(metrics=self._metrics, not_ready=self._why_not_ready, beside=beside)
        self._not_ready = "starting"
        self._servers: list[grpc.aio.Server] = []

    async def start(self) -> None:
        """State is read and published before any port opens: a restart never pushes an empty or an older config."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        await (self._leadership or self.engine).start()
        await self._alerts.load()
        await self._apply_manifests()
        calm_collector()
        await self._serve_admin()
        await self._serve_data_plane()
        http = parse_listen(self._settings.http, flag="--http")
        try:
            await self._http.start(http.host, http.port)
        except OSError as error:
            raise _taken("--http", self._settings.http) from error
        self._not_ready = ""
        log.info("control plane ready", extra={"fields": {"admin": self._settings.admin, "xds": self._settings.xds}})

    async def _apply_manifests(self) -> None:
        """What `--manifest` names. A file that is refused ends a first start; a running system goes on without it."""
        had_state = bool(self.engine.world.services)
        try:
            files = [(str(path), path.read_text(encoding="utf-8")) for path in self._settings.manifests]
            if files and self._is_leading:
                await self.engine.apply(files, dry_run=False, actor=BY_FLAG.actor, by=BY_FLAG)
        except OSError as error:
            raise SettingsError(f"--manifest {error.filename} cannot be read: {error.strerror}") from error
        except (ManifestError, SnapshotError) as error:
            if not had_state:
                raise
            log.error("--manifest was refused; the stored state stays in force: %s", error)

    async def _serve_admin(self) -> None:
        server = grpc.aio.server(
            options=SERVER_OPTIONS, interceptors=[self._door], maximum_concurrent_rpcs=admin.CALLS_MAX
        )
        admin.add_to(server, self.engine)
        await self._listen(
            server, "--admin", self._settings.admin, asks_certificate=self._settings.admin_asks_certificate
        )

    async def _serve_data_plane(self) -> None:
        server = grpc.aio.server(options=SERVER_OPTIONS)
        self._ads.add_to(server)
        outcomes_pb2_grpc.add_OutcomesServicer_to_server(OutcomesServicer(self.engine), server)
        await self._listen(server, "--xds", self._settings.xds)

    async def _listen(self, server: grpc.aio.Server, flag: str, address: str, *, asks_certificate: bool = True) -> None:
        try:
            if self._settings.tls is not None:
                credentials = server_credentials(self._settings.tls, is_mutual=asks_certificate)
                server.add_secure_port(address, credentials)
            else:
                server.add_insecure_port(address)
        except RuntimeError as error:
            raise _taken(flag, address) from error
        await server.start()
        self._servers.append(server)

    async def run(self) -> None:
        """Serve until cancelled."""
        book, now_ms = self.engine.signals, self.engine.now_ms
        secrets = SecretDirectory(self._settings.secrets)
        signals = SignalRunner(book, lambda: targets_of(*self._followed()), now_ms)
        logs = LogRunner(
            book.logs,
            lambda: log_targets_of(*self._followed()),
            now_ms,
            directory=self._settings.server_logs,
            units=self._settings.server_units,
        )
        probes = ProbeRunner(
            book.probes,
            lambda: probes_of(*self._followed()),
            now_ms,
            ask=ask_probe,
            credential=lambda probe: credential_of(secrets, probe.auth),
        )
        queries = QueryRunner(
            ask,
            secrets,
            world=lambda: self.engine.world if self._is_leading else World(),
            book=lambda: self.engine.alerts.queries,
            now_ms=now_ms,
        )
        parts = (signals, logs, probes, queries, self.notify, self._alerts, self._pages, self._history)
        beside = [asyncio.create_task(each.run()) for each in parts]
        if self._otlp is not None:
            beside.append(asyncio.create_task(self._otlp.run()))
        try:
            await (self._leadership or self.engine).run()
        finally:
            for task in beside:
                task.cancel()

    @property
    def _is_leading(self) -> bool:
        return self._leadership is None or self._leadership.is_leading

    def _who(self, authorization: str | None) -> Identity | None:
        """On the HTTP port, which shows no certificate and asks for none."""
        shown = [("authorization", authorization)] if authorization is not None else []
        return self._door.identity(shown, {})

    def _lanes(self) -> Lanes:
        secrets = SecretDirectory(self._settings.secrets)
        return Lanes(Sender(HookClient()), secrets, self._exporter, self.engine.now_ms)

    def _followed(self) -> tuple[dict[str, ServiceSpec], list[str]]:
        """The services whose servers are read, logs followed and dependencies asked, and which of them go first; who
        does not lead asks nobody."""
        if not self._is_leading:
            return {}, []
        world = self.engine.world
        specs = {name: service.spec for name, service in world.services.items()}
        return specs, [rollout.spec.service for rollout in world.active_rollouts]

    async def stop(self) -> None:
        self._not_ready = "stopping"
        await asyncio.gather(*(server.stop(STOP_GRACE_S) for server in self._servers))
        await self._http.stop()
        await self.notify.close()
        if self._leadership is not None:
            await self._leadership.close()
        await self.engine.close()

    def _why_not_ready(self) -> str:
        if not self._not_ready and not self._is_leading:
            return "follows: another control plane leads"
        return self._not_ready

    def _metrics(self) -> bytes:
        refresh(self.engine, self._exporter)
        return self._exporter.text()


def calm_collector() -> None:
    """What is there now stays and is not looked through again: a thousand services are 150,000 objects, which took a
    full collection 15-90 ms in the middle of weight steps. And young objects are looked at less often than after every
    700: with a thousand streams that was a tenth of a push.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def _taken(flag: str, address: str) -> SettingsError:
    return SettingsError(
        f"{flag} {address} cannot be opened: it is in use or not ours", next_step=f"give another {flag}"
    )


async def serve(settings: ControlPlaneSettings) -> None:
    """Run one control plane until SIGTERM or SIGINT."""
    plane = ControlPlane(settings)
    try:
        await plane.start()
        task = asyncio.create_task(plane.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task
    finally:
        await plane.stop()
