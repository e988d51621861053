"""The stream to the control plane: hello, batches, acknowledgements, and cohort policy on its way back.

One connection at a time; after any failure a new one, with back-off, that sends again whatever is not acknowledged.
The control plane may be away as long as it likes: the data path does not notice.
"""

import asyncio
import logging
import os
from collections import deque
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError

from extproc.clock import Prng
from extproc.cohort.decision import NO_FILES
from extproc.cohort.errors import BadFileError
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.cohort.runner import PolicyFolder
from extproc.cohort.wire import BadPolicyError, policies_of
from extproc.settings import TlsFiles
from extproc.telemetry.tables import Counter
from extproc.uplink import wire
from extproc.uplink.backoff import Backoff
from extproc.uplink.queue import ReportQueue
from serinus.v1 import outcomes_pb2

REPORT_METHOD = "/serinus.v1.Outcomes/Report"
# A batch is acknowledged once it is durable, milliseconds later. A control plane that takes longer is stuck.
ACK_TIMEOUT_S = 10.0
# A cut cable is noticed within 15 s; gRPC servers refuse pings more often than each 10 s by default.
KEEPALIVE_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 5_000
# 10,000 services with cohorts and value lists stay under this.
MESSAGE_BYTES_MAX = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class PolicyFile:
    """The last accepted policy, kept in the run directory so that a restarted sidecar tags at once."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "policy.pb"

    def load(self) -> PolicySet | None:
        """None when there is none, or it cannot be read (then the control plane sends it again)."""
        try:
            return policies_of(outcomes_pb2.Policy.FromString(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (DecodeError, BadPolicyError, OSError) as error:
            _log.warning("kept policy ignored", extra={"path": str(self._path), "reason": str(error)})
            return None

    def save(self, policy: outcomes_pb2.Policy) -> None:
        """Atomic, also among workers. Salts stand in it, so that bucket membership could be computed: mode 0600."""
        fresh = self._path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(policy.SerializeToString())
        fresh.replace(self._path)


class UplinkClient:
    """`run` until cancelled; `wake` after something was put into the queue."""

    def __init__(
        self,
        *,
        target: str,
        tls: TlsFiles | None,
        sidecar: str,
        cluster: str,
        epoch: int,
        queue: ReportQueue,
        policies: PolicyHolder,
        policy_file: PolicyFile,
        files: PolicyFolder,
        report_slots: Counter,
        prng: Prng,
        ack_timeout_s: float = ACK_TIMEOUT_S,
    ) -> None:
        self._target = target
        self._tls = tls
        self._epoch = epoch
        self._hello = wire.hello(sidecar=sidecar, epoch=epoch, cluster=cluster)
        self._queue = queue
        self._policies = policies
        self._policy_file = policy_file
        self._files = files
        self._policies_asked = 0
        self._without_files: outcomes_pb2.Policy | None = None  # refused for its files alone: it may become possible
        self._report_slots = report_slots
        self._prng = prng
        self._ack_timeout_s = ack_timeout_s
        self._backoff = Backoff()
        self._policy_acks: deque[bytes] = deque(maxlen=16)  # one a policy; the newest counts
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._progress_at_s = 0.0
        self.is_connected = False
        self._is_over = False

    def wake(self) -> None:
        self._wake.set()

    async def drained(self) -> None:
        """Returns when everything in the queue is acknowledged."""
        while len(self._queue):
            self._progress.clear()
            await self._progress.wait()

    def end(self) -> None:
        """`run` connects no more. To be said before it is cancelled: a cancellation that meets the end of a call may be
        swallowed by gRPC's library, and the process would never leave."""
        self._is_over = True

    async def run(self) -> None:
        reason = ""
        while True:
            try:
                await self._connect()
                failure = "the control plane closed the stream"
            except grpc.aio.AioRpcError as error:
                failure = f"{error.code().name}: {error.details()}"
            except (TimeoutError, OSError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
                failure = str(error) or type(error).__name__
            self.is_connected = False
            if self._is_over:
                return
            if failure != reason:
                _log.warning("control plane is away", extra={"address": self._target, "reason": failure})
                reason = failure
            await asyncio.sleep(self._backoff.wait_ms(self._prng.uniform()) / 1_000)

    def _channel(self) -> grpc.aio.Channel:
        options = [
            ("grpc.use_local_subchannel_pool", 1),  # a fresh try is a fresh connection, not gRPC's own back-off
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ]
        if self._tls is None:
            return grpc.aio.insecure_channel(self._target, options=options)
        # Read at each connection, so that renewed certificates are picked up.
        credentials = grpc.ssl_channel_credentials(
            self._tls.ca.read_bytes(), self._tls.key.read_bytes(), self._tls.cert.read_bytes()
        )
        return grpc.aio.secure_channel(self._target, credentials, options=options)

    async def _connect(self) -> None:
        async with self._channel() as channel:
            method = channel.stream_stream(REPORT_METHOD, response_deserializer=outcomes_pb2.ReportResponse.FromString)
            call = method()
            self._queue.rewind()
            self._policy_acks.clear()
            await call.write(self._hello)
            self._progress_at_s = asyncio.get_running_loop().time()
            if self._policies.current.version:
                await call.write(wire.policy_ack(self._policies.current.version))
            reader = asyncio.create_task(self._read(call))
            writer = asyncio.create_task(self._write(call))
            try:
                done, _ = await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await task
            finally:
                for task in (reader, writer):
                    task.cancel()
                await asyncio.gather(reader, writer, return_exceptions=True)
                call.cancel()

    async def _read(self, call: grpc.aio.StreamStreamCall) -> None:
        async for response in call:
            if not self.is_connected:
                self.is_connected = True
                _log.info("control plane is here", extra={"address": self._target})
            self._backoff.reset()
            match response.WhichOneof("message"):
                case "ack":
                    self._acknowledged(response.ack)
                case "policy":
                    await self._policy(response.policy)

    async def _write(self, call: grpc.aio.StreamStreamCall) -> None:
        """Sends what there is, then waits for more. Raises TimeoutError when acknowledgements stay out."""
        while True:
            self._wake.clear()
            while self._policy_acks:
                await call.write(self._policy_acks.popleft())
            if not self._queue.awaits_ack:
                self._progress_at_s = asyncio.get_running_loop().time()
            while (batch := self._queue.next_unsent()) is not None:
                await call.write(batch.payload)
            await self._wake.wait()  # each second, with the next batch
            if asyncio.get_running_loop().time() - self._progress_at_s > self._ack_timeout_s:
                raise TimeoutError(f"no acknowledgement for {self._ack_timeout_s:.0f} s")

    def _acknowledged(self, ack: outcomes_pb2.BatchAck) -> None:
        if ack.epoch != self._epoch:
            return
        self._progress_at_s = asyncio.get_running_loop().time()
        batch = self._queue.ack(ack.seq)
        if batch is not None and batch.row_count:
            self._report_slots.add(("acked",), batch.row_count)
        self._progress.set()

    async def _policy(self, message: outcomes_pb2.Policy) -> None:
        self._policies_asked += 1
        self._without_files = None
        ack = await self._accept(message) if message.version != self._policies.current.version else ""
        if ack is not None:
            self._policy_acks.append(wire.policy_ack(message.version, ack))
            self._wake.set()

    async def renew_files(self) -> None:
        """Call it now and then: what the policy folder says now comes in force. A bad file changes nothing."""
        if not self._files.has_changed():
            return
        if self._without_files is not None:
            await self._policy(self._without_files)
            return
        current = self._policies.current
        try:
            files = await asyncio.to_thread(self._files.load, current.files)
        except BadFileError as error:
            _log.warning("file not renewed", extra={"reason": str(error)})
            return
        if self._policies.current is current:
            self._policies.replace(current, files)
            _log.info("files in force", extra={"ids": {name: ids.count for name, ids in files.lists.items()}})

    async def _accept(self, message: outcomes_pb2.Policy) -> str | None:
        """Put a policy in force and keep it. The error text for the acknowledgement; "" when it is in force; None when
        another policy came while its files were read.
        """
        mine = self._policies_asked
        try:
            policies = policies_of(message)
            files = await asyncio.to_thread(self._files.load, policies.files) if policies.files else NO_FILES
            if mine != self._policies_asked:
                return None
            self._policies.replace(policies, files)
        except (BadPolicyError, BadFileError) as error:
            if mine != self._policies_asked:
                return None
            _log.warning("policy refused", extra={"version": message.version, "reason": str(error)})
            self._without_files = message if isinstance(error, BadFileError) else None
            return str(error)
        try:
            self._policy_file.save(message)
        except OSError as error:
            _log.warning("policy not kept", extra={"version": policies.version, "reason": str(error)})
        _log.info("policy in force", extra={"version": policies.version, "services": len(policies.services)})
        return ""
