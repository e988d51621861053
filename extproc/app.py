"""The composition root of the sidecar: builds the parts, runs the loops, drains. The only place that wires."""

import asyncio
import gc
import itertools
import logging
import secrets
import sys

from extproc.accesslog.ingest import Ingest
from extproc.accesslog.told import RequestLog
from extproc.aggregate.window import SlotWindow
from extproc.clock import Clock, Prng
from extproc.cohort.errors import BadFileError
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.cohort.runner import PolicyFolder
from extproc.evaluator.client import evaluator_of
from extproc.evaluator.runner import Evaluator
from extproc.feedback.desk import FeedbackDesk
from extproc.outcome.rated import Rating
from extproc.processing.overload import ShedSession
from extproc.processing.runner import Pace
from extproc.processing.session import ProcessSession
from extproc.processing.tagging import Tagging
from extproc.proxystats.runner import ProxyReader, Reading
from extproc.settings import Settings
from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.exporter import HttpExporter
from extproc.telemetry.tables import Histogram
from extproc.transport.own.endpoint import ServerTls, TcpEndpoint
from extproc.transport.own.server import OwnTransport
from extproc.transport.port import AtOnce, Handlers, Transport
from extproc.transport.reference.server import GrpcioTransport
from extproc.uplink import wire
from extproc.uplink.client import PolicyFile, UplinkClient
from extproc.uplink.queue import ReportQueue
from serinus.contract.feedback import NUMBER_END

# The protocol's pace: the judge's slots are whole seconds.
REPORT_S = 1.0
# A quarter of the wait for an observation: what expires is late by this much at most.
TICK_S = 0.25
# Python's own are 700, 10, 10. Next to nothing here is garbage in cycles: 10,000 objects are 2 MB.
COLLECTOR_THRESHOLDS = (10_000, 20, 20)
# The files of the policy folder are looked at this often: a few `stat` calls.
FILES_S = 2.0
# The last batch is acknowledged in milliseconds; a control plane that is away does not hold the process up.
LAST_ACK_S = 2.0

_log = logging.getLogger(__name__)


class Sidecar:
    """One sidecar process. `run` once."""

    def __init__(self, settings: Settings, clock: Clock, prng: Prng) -> None:
        self._settings = settings
        self._clock = clock
        self._catalogue = Catalogue()
        numbers = itertools.count(secrets.randbelow(NUMBER_END))
        self._policies = PolicyHolder(settings.follow_up_ms, self._catalogue.tokens, numbers)
        self._feedback = FeedbackDesk(self._policies, self._catalogue.feedback)
        self._ask = evaluator_of(settings.evaluator) if settings.evaluator else None
        self._evaluator = Evaluator(self._ask, self._rated, self._catalogue.evaluations) if self._ask else None
        self._rating = Rating(settings.evaluate_bp, self._evaluator.offer) if self._evaluator else None
        self._window = SlotWindow(self._catalogue)
        log = _request_log(settings.log_requests_bp, self._catalogue)
        self._ingest = Ingest(
            policies=self._policies, window=self._window, catalogue=self._catalogue, clock=clock, log=log
        )
        self._queue = ReportQueue()
        self._policy_file = PolicyFile(settings.run_dir)
        self._files = PolicyFolder(settings.policy_dir, seed=secrets.randbits(64))
        epoch = clock.epoch_ns()
        self._proxy = ProxyReader(str(settings.envoy_admin), settings.run_dir, clock.now_ms, epoch)
        self._pace = Pace()
        tagging = Tagging(self._policies, self._catalogue.requests, clock, self._pace.is_behind)
        self._transports = _transports(settings, self, self._catalogue.processing, tagging.at_once)
        self._uplink = UplinkClient(
            target=str(settings.controlplane),
            tls=settings.tls,
            sidecar=settings.node_id,
            cluster=settings.node_cluster,
            epoch=epoch,
            queue=self._queue,
            policies=self._policies,
            policy_file=self._policy_file,
            files=self._files,
            report_slots=self._catalogue.report_slots,
            prng=prng,
        )
        self._http = HttpExporter(self._catalogue.tables(), self._why_not_ready)
        self._is_serving = False

    def open_process(self) -> ProcessSession | ShedSession:
        """A handler of the transport: one ext_proc stream."""
        counts, observed = self._catalogue.requests, self._ingest.observation
        session = ProcessSession(
            self._policies, counts, observed, self._clock, feedback=self._feedback, rating=self._rating
        )
        return ShedSession(session, self._catalogue.requests) if self._pace.is_behind() else session

    def access_logs(self, message: bytes) -> None:
        """A handler of the transport: one batch of log entries."""
        self._ingest.access_logs(message)

    def _rated(self, request_id: str, score: float) -> None:
        self._feedback.rated(request_id, score, self._clock.now_ms())

    def _why_not_ready(self) -> str:
        if not self._is_serving:
            return "draining or not started"
        return "" if self._policies.current.version else "no cohort policy yet: requests pass untagged"

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain. Raises SidecarError or OSError when it cannot start."""
        await self._start()
        loops = [
            asyncio.create_task(self._uplink.run()),
            asyncio.create_task(self._report_loop()),
            asyncio.create_task(self._tick_loop()),
            asyncio.create_task(self._files_loop()),
            *([asyncio.create_task(self._evaluator.run())] if self._evaluator else ()),
        ]
        waiter = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait((waiter, *loops), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a loop ends only by a fault: let it be seen
            await self._drain(loops)
        finally:
            self._uplink.end()
            for task in (waiter, *loops):
                task.cancel()
            await asyncio.gather(waiter, *loops, return_exceptions=True)
            self._proxy.dropped(self._queue.entries)
            await self._proxy.close()
            if self._ask is not None:
                await self._ask.close()
            await self._http.stop()

    async def _start(self) -> None:
        settings = self._settings
        settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = self._policy_file.load()
        if kept is not None:
            await self._enforce(kept)
        tls = settings.http_tls
        certificate = (tls.cert, tls.key) if tls else None
        await self._http.start(settings.http.host, settings.http.port, certificate)
        _calm_collector()
        for transport in self._transports:
            await transport.start()
        self._is_serving = True
        _log.info(
            "serving",
            extra={
                "transport": settings.transport,
                "socket": str(settings.socket),
                "tcp": f"{settings.tcp} (tls: {settings.tcp_tls})" if settings.tcp else "",
                "http": str(settings.http),
                "policy": self._policies.current.version,
            },
        )

    async def _enforce(self, kept: PolicySet) -> None:
        try:
            self._policies.replace(kept, await asyncio.to_thread(self._files.load, kept.files))
        except BadFileError as error:
            _log.warning("kept policy ignored", extra={"reason": str(error)})

    async def _drain(self, loops: list[asyncio.Task[None]]) -> None:
        _log.info("draining")
        self._is_serving = False
        await asyncio.gather(*(transport.drain() for transport in self._transports))
        for task in loops[1:]:
            task.cancel()
        await asyncio.gather(*loops[1:], return_exceptions=True)
        self._ingest.flush()
        await self._report()
        try:
            await asyncio.wait_for(self._uplink.drained(), LAST_ACK_S)
        except TimeoutError:
            _log.warning("unacknowledged batches are lost", extra={"batches": len(self._queue)})
        _log.info("drained")

    async def _tick_loop(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._ingest.tick()

    async def _files_loop(self) -> None:
        while True:
            await asyncio.sleep(FILES_S)
            await self._uplink.renew_files()

    async def _report_loop(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            # A machine that slept does not owe the reports of its sleep.
            due_s = max(due_s + REPORT_S, loop.time())
            await asyncio.sleep(due_s - loop.time())
            await self._report()

    async def _report(self) -> None:
        received, queue = self._ingest.take_received(), self._queue
        # While it is heard, a report is acknowledged in milliseconds: a kill then would be marked for nothing.
        held = queue.entries + received if len(queue) or not self._uplink.is_connected else 0
        proxy = self._counted(await self._proxy.read(received, held))
        shed, is_elsewhere = self._catalogue.requests.values.get(("shed",), 0), self._proxy.is_elsewhere
        sealed = self._window.take(self._clock.now_ms(), self._policies.follow_up_ms_max)
        told = self._feedback.waiting()
        dropped = self._queue.push(
            lambda seq: wire.batch(seq, sealed, proxy, shed=shed, proxy_read_elsewhere=is_elsewhere, feedback=told),
            len(sealed.rows),
            len(told),
            received,
        )
        for batch in dropped:
            self._proxy.dropped(batch.entries)
            self._catalogue.report_slots.add(("dropped",), batch.row_count)
            if batch.told_count:
                self._catalogue.feedback.add(("dropped",), batch.told_count)
        self._uplink.wake()

    def _counted(self, reading: Reading | None) -> wire.ProxyCounters | None:
        if reading is None:
            return None
        stats = reading.stats
        self._catalogue.lost.set_total(reading.lost)
        self._catalogue.untagged.set_total(stats.untagged)
        return wire.ProxyCounters(
            answered=stats.answered,
            untagged=stats.untagged,
            logs_written=stats.logs_written,
            logs_lost=reading.lost,
            clusters=tuple(wire.ClusterHealth(entry.name, entry.endpoints, entry.healthy) for entry in stats.clusters),
            read_ms=reading.read_ms,
        )


def _request_log(share_bp: int, catalogue: Catalogue) -> RequestLog | None:
    """On the standard output, a whole line at a time; the process's own log is on the standard error."""
    if not share_bp:
        return None
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115  for its whole life
    return RequestLog(share_bp, out.write, lambda: catalogue.overflow.add(("log_lines",)))


def _calm_collector() -> None:
    """What is there before the first request stays, and is not looked through again while requests wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def _transports(
    settings: Settings, handlers: Handlers, processing: Histogram, at_once: AtOnce
) -> tuple[Transport, ...]:
    """The socket's, and the one of --tcp."""
    if settings.transport == "grpcio":
        return (GrpcioTransport(settings.socket, handlers, processing),)
    on_socket = OwnTransport(settings.socket, handlers, processing, at_once=at_once)
    if settings.tcp is None:
        return (on_socket,)
    tls = None
    if settings.tls is not None and settings.tcp_tls != "off":
        client_ca = settings.tls.ca if settings.tcp_tls == "mutual" else None
        tls = ServerTls(settings.tls.cert, settings.tls.key, client_ca)
    endpoint = TcpEndpoint(settings.tcp.host, settings.tcp.port, tls)
    return (on_socket, OwnTransport(endpoint, handlers, processing, at_once=at_once))
