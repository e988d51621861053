"""The sidecar of the request-path tests: the shipped transport, sessions and log parser in the test's own event loop.

What the shipped process adds (slots, uplink, metrics) is not on the request path. Raw ext_proc messages and log
messages are kept, so that tests can look at what Envoy really sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from extproc.accesslog.entry import Entry
from extproc.accesslog.wire import Skipped, entries_of
from extproc.clock import SystemClock
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.cohort.runner import PolicyFolder
from extproc.outcome.observation import Observation
from extproc.processing.session import ProcessSession, Reply
from extproc.telemetry.tables import Counter, Histogram, Metric
from extproc.transport.own.server import OwnTransport
from extproc.transport.port import Transport
from extproc.transport.reference.server import GrpcioTransport
from serinus.contract.policy import ServicePolicy
from serinus.envoywire import accesslog_pb2, ext_proc_pb2

TRANSPORTS: dict[str, type[OwnTransport] | type[GrpcioTransport]] = {"own": OwnTransport, "grpcio": GrpcioTransport}


@dataclass
class Seen:
    """Everything that Envoy has sent."""

    messages: list[ext_proc_pb2.ProcessingRequest] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    raw_entries: list[accesslog_pb2.HTTPAccessLogEntry] = field(default_factory=list)
    entries: list[Entry | Skipped] = field(default_factory=list)
    observations: dict[str, Observation] = field(default_factory=dict)


class PathSidecar:
    """`start` it on a socket path; `stop` leaves the socket file behind, as a process that was killed does."""

    def __init__(self, socket: Path, transport: str = "own") -> None:
        self.socket = socket
        self._kind: type[OwnTransport] | type[GrpcioTransport] = TRANSPORTS[transport]
        self.seen = Seen()
        self.requests = Counter(Metric("requests", "by result", ("result",)))
        self.tokens = Counter(Metric("tokens", "by result", ("result",)))
        self.policy_dir = socket.parent / "policy"
        self._policies = PolicyHolder(10_000, self.tokens)
        self._transport: Transport | None = None

    def enforce(self, policies: Iterable[ServicePolicy]) -> None:
        told = PolicySet("test", {policy.service: policy for policy in policies})
        self._policies.replace(told, PolicyFolder(self.policy_dir, seed=1).load(told.files))

    async def start(self) -> None:
        self._transport = self._kind(self.socket, self, Histogram(Metric("processing", "", (), (1.0,))))
        await self._transport.start()

    async def stop(self) -> None:
        if self._transport is not None:
            await self._transport.drain()
            self._transport = None

    def open_process(self) -> "_Tap":
        return _Tap(ProcessSession(self._policies, self.requests, self._observed, SystemClock()), self.seen)

    def access_logs(self, message: bytes) -> None:
        parsed = accesslog_pb2.StreamAccessLogsMessage.FromString(message)
        self.seen.logs.append(message)
        self.seen.raw_entries.extend(parsed.http_logs.log_entry)
        self.seen.entries.extend(entries_of(message))

    def _observed(self, request_id: str, observation: Observation) -> None:
        self.seen.observations[request_id] = observation


class _Tap:
    """A session that is listened to."""

    def __init__(self, session: ProcessSession, seen: Seen) -> None:
        self._session = session
        self._seen = seen

    def receive(self, message: bytes) -> Reply:
        self._seen.messages.append(ext_proc_pb2.ProcessingRequest.FromString(message))
        return self._session.receive(message)

    def close(self) -> None:
        self._session.close()
