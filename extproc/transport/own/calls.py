"""The calls of one connection: its events in, the sidecar's handlers asked, answers into the connection. No I/O.

The kinds of calls stand in `call.py`.

A call that is over leaves its stream (`stream.call = None`); what the peer still sends on it is not wanted and told so
once, without error, when the whole answer has gone out (RFC 9113 8.1). Ended log streams are the exception: their
entries are taken as long as they come.

Deadlines (`grpc-timeout`) are the peer's business: an answer takes microseconds, and who gives up resets the stream.
"""

from collections.abc import Callable

from extproc.grpc_wire.framing import PREFIX_BYTES, Budget, pack_prefix, unpack_prefix
from extproc.grpc_wire.status import Status
from extproc.h2.connection import Connection
from extproc.h2.errors import ErrorCode
from extproc.h2.events import (
    ConnectionFailed,
    DataReceived,
    Drained,
    Event,
    RequestReceived,
    RequestTooLarge,
    StreamReset,
)
from extproc.h2.request import Request
from extproc.h2.sending import AtOnce, HeaderBlock
from extproc.h2.stream import BY_US, Stream
from extproc.transport import port
from extproc.transport.own import answers
from extproc.transport.own.call import (
    UNFINISHED_BYTES_MAX,
    AccessLogsCall,
    Call,
    HealthCheckCall,
    HealthWatchCall,
    ProcessCall,
    RefusedCall,
    Service,
)

# They stay for as long as the peer does; the others are over by themselves.
LongCall = AccessLogsCall | HealthWatchCall

_METHODS: dict[bytes, Callable[["Calls", Stream, Request], Call]] = {
    port.PROCESS_METHOD.encode(): ProcessCall,
    port.ACCESS_LOGS_METHOD.encode(): AccessLogsCall,
    port.HEALTH_CHECK_METHOD.encode(): HealthCheckCall,
    port.HEALTH_WATCH_METHOD.encode(): HealthWatchCall,
}


def _plan(request: Request) -> HeaderBlock | Callable[["Calls", Stream, Request], Call]:
    """How a request is answered: at once, or by a call."""
    return RefusedCall if answers.refusal(request) else _METHODS.get(request.path) or answers.UNKNOWN_METHOD


class Calls:
    """All calls of one connection. Give it every event, in order."""

    __slots__ = ("_at_once", "budget", "connection", "has_answered", "has_begun", "has_listened", "service")

    def __init__(self, connection: Connection, service: Service) -> None:
        self.connection = connection
        self.service = service
        # Since somebody last looked: whether a message came that wants no answer, the first such one of its stream, and
        # one that wants one.
        self.has_listened = self.has_begun = self.has_answered = False
        self.budget = Budget(UNFINISHED_BYTES_MAX, service.budget)
        self._at_once = AtOnce(
            answers.HEAD,
            self._data_at_once,
            answers.TRAILERS_OK,
            began=service.timer,
            ended=self._answered_at_once,
        )

    def handle(self, event: Event) -> None:
        """Raises what a handler raises: then call `fail` with the same event."""
        if type(event) is DataReceived:
            call = event.stream.call
            if call is not None:
                call.receive(event.data, is_end=event.is_end)
            elif not event.is_end and event.stream.ended & BY_US:
                self.connection.reset(event.stream, ErrorCode.NO_ERROR)
        elif type(event) is RequestReceived:
            self._open(event)
        else:
            self._rare(event)

    def _open(self, event: RequestReceived) -> None:
        request, stream = event.request, event.stream
        plan = request.plan
        if plan is None:
            plan = request.plan = _plan(request)
            if plan is ProcessCall and self.service.at_once is not None and request.content_length is None:
                request.at_once = self._at_once
        if isinstance(plan, HeaderBlock):
            self.connection.send.headers(stream, plan)
            return
        stream.call = call = plan(self, stream, request)
        if event.is_end:
            call.receive(b"", is_end=True)

    def _data_at_once(self, data: bytes) -> bytes | None:
        """Of a tag stream whose one message has come with its headers: what `ProcessCall` would answer. Whatever goes
        wrong here goes wrong again there, where it is said."""
        at_once = self.service.at_once
        # `whole_message` and `framed`, in place: see `StreamFrames.work_off`.
        if len(data) < PREFIX_BYTES or at_once is None or unpack_prefix(data) != (0, len(data) - PREFIX_BYTES):
            return None
        try:
            answer = at_once(data[PREFIX_BYTES:])
        except Exception:
            return None
        return None if answer is None else pack_prefix(0, len(answer)) + answer

    def _answered_at_once(self, began_s: float, count: int) -> None:
        """An answer's time is its share of all that were given in a row."""
        service = self.service
        service.processing.observe((service.timer() - began_s) / count, (), count)

    def _rare(self, event: Event) -> None:
        match event:
            case StreamReset(stream):
                if stream.call is not None:
                    stream.call.close()
            case RequestTooLarge(stream):
                self.connection.send.headers(stream, answers.HEADERS_TOO_LARGE)
            case Drained():
                self._drain_calls()
            case ConnectionFailed():
                self.close()

    def fail(self, event: Event) -> None:
        """A handler raised: that call ends, the others go on. UNKNOWN is what gRPC's servers say then."""
        call = event.stream.call if isinstance(event, DataReceived | RequestReceived) else None
        if call is not None:
            call.fail(Status.UNKNOWN, "internal error")
        elif isinstance(event, RequestReceived):
            self.connection.send.headers(event.stream, answers.BROKEN)

    def drain(self) -> None:
        """Tells the peer to leave, and ends what would stay."""
        self.connection.drain()
        self._drain_calls()

    def _drain_calls(self) -> None:
        for call in self._running():
            if isinstance(call, LongCall):
                call.drain()

    def close(self) -> None:
        """The connection is over, and every call with it."""
        for call in self._running():
            call.close()

    def _running(self) -> list[Call]:
        streams = self.connection.streams
        return [
            stream.call for stream in (*streams.live.values(), *streams.lingering.values()) if stream.call is not None
        ]
