"""One call on one stream, each kind a class with the same four methods: messages out of data, answers, the end. No I/O.

What a call answers and when it ends are those of the reference transport (`reference/server.py`), and a differential
test holds the two against each other. `calls.py` opens calls and hands them what comes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from extproc.grpc_wire.framing import Budget, Deframer, FramingError, framed, whole_message
from extproc.grpc_wire.status import REFUSAL_BODY, Status
from extproc.h2.request import Request
from extproc.h2.stream import Stream
from extproc.telemetry.tables import Histogram
from extproc.transport import port
from extproc.transport.own import answers

if TYPE_CHECKING:
    from extproc.transport.own.calls import Calls

# The first log message of each stream carries Envoy's node (62 KB); body pieces are bounded by its 1 MiB buffers.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# Of all streams of a connection together: two of the largest messages.
UNFINISHED_BYTES_MAX = 2 * MESSAGE_BYTES_MAX
# Of all connections of a process together: beyond it a stranger on TCP could take the memory that Envoy's own need.
UNFINISHED_BYTES_OF_ALL_MAX = 8 * MESSAGE_BYTES_MAX


@dataclass(slots=True)
class Service:
    """What all connections share. `timer` gives seconds, for the time that an answer took. `at_once`: the answer to a
    tag stream's only message, if it is at hand; otherwise None, and `handlers` are asked.
    """

    handlers: port.Handlers
    processing: Histogram
    timer: Callable[[], float]
    at_once: port.AtOnce | None = None
    is_serving: bool = True
    is_draining: bool = False
    budget: Budget = field(default_factory=lambda: Budget(UNFINISHED_BYTES_OF_ALL_MAX))

    def health(self) -> bytes:
        return port.HEALTH_SERVING if self.is_serving else port.HEALTH_NOT_SERVING


class Call(Protocol):
    """One call on one stream."""

    def receive(self, data: bytes, *, is_end: bool) -> None:
        """A piece of the request; `is_end`: the last."""

    def fail(self, status: Status, message: str) -> None:
        """Ends the call with an error."""

    def close(self) -> None:
        """The stream is over, however it ended. More than one call of it does no harm."""


class _Call(ABC):
    """What all calls have in common: messages out of data, answers, the end."""

    __slots__ = ("_calls", "_deframer", "_has_head", "_request", "_stream")

    def __init__(self, calls: "Calls", stream: Stream, request: Request) -> None:
        self._calls = calls
        self._stream = stream
        self._request = request
        self._deframer: Deframer | None = None
        self._has_head = False

    def receive(self, data: bytes, *, is_end: bool) -> None:
        message = whole_message(data) if self._deframer is None else None
        if message is not None and len(message) <= MESSAGE_BYTES_MAX:
            self.message(message)
        elif data:
            self._pieces(data)
        if is_end and self._stream.call is not None:
            if self._deframer is None or self._deframer.is_between_messages:
                self.end()
            else:
                self.fail(Status.INTERNAL, "the stream ends inside a message")

    def _pieces(self, data: bytes) -> None:
        if self._deframer is None:
            self._deframer = Deframer(MESSAGE_BYTES_MAX, self._calls.budget, self._request.value(b"grpc-encoding"))
        try:
            messages = self._deframer.feed(data)
        except FramingError as error:
            self.fail(error.status, error.message)
            return
        for message in messages:
            self.message(message)
            if self._stream.call is None:
                return

    @abstractmethod
    def message(self, message: bytes) -> None:
        """One whole message."""

    def end(self) -> None:
        """The peer has said all."""
        self.finish()

    def write(self, message: bytes) -> bool:
        """False: the peer reads too little, and its stream was reset."""
        send = self._calls.connection.send
        if not self._has_head:
            self._has_head = True
            send.headers(self._stream, answers.HEAD)
        return send.data(self._stream, framed(message))

    def finish(self) -> None:
        """Ends the call well."""
        block = answers.TRAILERS_OK if self._has_head else answers.ONLY_OK
        self._calls.connection.send.headers(self._stream, block)
        self.close()

    def fail(self, status: Status, message: str) -> None:
        block = answers.failure(status, message, has_head=self._has_head)
        self._calls.connection.send.headers(self._stream, block)
        self.close()

    def close(self) -> None:
        self._stream.call = None
        if self._deframer is not None:
            self._deframer.release()
            self._deframer = None


class ProcessCall(_Call):
    """ExternalProcessor/Process."""

    __slots__ = ("_session",)

    def __init__(self, calls: "Calls", stream: Stream, request: Request) -> None:
        super().__init__(calls, stream, request)
        self._session: port.ProcessStream | None = calls.service.handlers.open_process()

    def message(self, message: bytes) -> None:
        assert self._session is not None
        calls, stream = self._calls, self._stream
        timer = calls.service.timer
        started_s = timer()
        reply = self._session.receive(message)
        answer = reply.message
        if answer is None:
            calls.has_begun |= not stream.is_served
            stream.is_served = calls.has_listened = True
            if reply.is_done:
                self.finish()
            return
        calls.has_answered = True
        calls.service.processing.observe(timer() - started_s)
        if reply.is_done and not self._has_head:
            calls.connection.send.answer(stream, answers.HEAD, framed(answer), answers.TRAILERS_OK)
            self.close()
        elif not self.write(answer):
            self.close()
        elif reply.is_done:
            self.finish()

    def close(self) -> None:
        if self._deframer is None:
            self._stream.call = None
        else:
            super().close()
        session, self._session = self._session, None
        if session is not None:
            session.close()


class AccessLogsCall(_Call):
    """AccessLogService/StreamAccessLogs: never answered; ended early only to hand over, and read on even then."""

    __slots__ = ("_is_ended",)

    def __init__(self, calls: "Calls", stream: Stream, request: Request) -> None:
        super().__init__(calls, stream, request)
        self._is_ended = False

    def message(self, message: bytes) -> None:
        self._stream.is_served = True
        self._calls.service.handlers.access_logs(message)

    def drain(self) -> None:
        """The process is about to leave."""
        if not self._is_ended:
            self._is_ended = True
            self._calls.connection.send.headers(self._stream, answers.ONLY_OK)

    def end(self) -> None:
        if self._is_ended:
            self.close()
        else:
            self.finish()


class HealthCheckCall(_Call):
    """grpc.health.v1.Health/Check."""

    __slots__ = ()

    def message(self, _message: bytes) -> None:
        self.end()

    def end(self) -> None:
        self.write(self._calls.service.health())
        self.finish()


class HealthWatchCall(_Call):
    """grpc.health.v1.Health/Watch: told at once, and once more when the process drains."""

    __slots__ = ()

    def message(self, _message: bytes) -> None:
        if not self._has_head:
            self.write(self._calls.service.health())
            self._stream.is_served = True

    def drain(self) -> None:
        """The process is about to leave."""
        self.end()

    def end(self) -> None:
        """A peer that has said all still watches."""
        if self._calls.service.is_draining:
            self.write(self._calls.service.health())
            self.finish()
        elif not self._has_head:
            self.message(b"")


class RefusedCall:
    """What is no gRPC call. It is told so when it has ended: until then it is a stream that runs, and counts as one."""

    __slots__ = ("_calls", "_head", "_stream")

    def __init__(self, calls: "Calls", stream: Stream, request: Request) -> None:
        self._calls = calls
        self._stream = stream
        self._head = answers.refusal(request) or answers.ONLY_OK

    def receive(self, _data: bytes, *, is_end: bool) -> None:
        """Whatever it is."""
        if is_end:
            self.fail(Status.UNIMPLEMENTED, "")

    def fail(self, _status: Status, _message: str) -> None:
        """Always in the same way."""
        send = self._calls.connection.send
        send.headers(self._stream, self._head)
        if not self._head.is_end:
            send.data(self._stream, REFUSAL_BODY)
            send.headers(self._stream, answers.END)
        self.close()

    def close(self) -> None:
        """Nothing is kept of it."""
        self._stream.call = None
