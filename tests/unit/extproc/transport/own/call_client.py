"""A gRPC client of one connection, without a socket, and a sidecar that does as it is told."""

from dataclasses import dataclass, field

from extproc.grpc_wire.framing import framed
from extproc.grpc_wire.status import Status
from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from extproc.h2.hpack_decode import HpackDecoder
from extproc.h2.hpack_table import Field
from extproc.h2.limits import Limits
from extproc.processing.session import Reply
from extproc.transport import port
from extproc.transport.own.call import Service
from extproc.transport.own.calls import Calls
from tests.unit.extproc.h2.peer import FIELDS, Peer, block, data, headers
from tests.unit.extproc.transport.sidecar import EchoStream, RecordingSidecar, histogram

OK = [(b"grpc-status", b"0")]
HEAD = [(b":status", b"200"), (b"content-type", b"application/grpc")]


class ScriptedStream(EchoStream):
    """Answers by what the message says: words of "say", "done", "raise"."""

    def receive(self, message: bytes) -> Reply:
        if message == b"raise":
            raise RuntimeError("as told")
        self.sidecar.messages.append(message)
        return Reply(message if b"say" in message else None, is_done=b"done" in message)


@dataclass
class ScriptedSidecar(RecordingSidecar):
    faults: list[str] = field(default_factory=list)

    def open_process(self) -> EchoStream:
        if "open" in self.faults:
            raise RuntimeError("as told")
        return ScriptedStream(self)

    def access_logs(self, message: bytes) -> None:
        if "logs" in self.faults:
            raise RuntimeError("as told")
        super().access_logs(message)


class Client(Peer):
    """A gRPC client of one connection. `is_quick`: the sidecar has answers to "say done" at hand."""

    def __init__(self, limits: Limits | None = None, *, greets: bool = True, is_quick: bool = False) -> None:
        super().__init__(limits or Limits(), greets=greets)
        self.sidecar = ScriptedSidecar()
        self.ticks = 0.0
        self.processing = histogram()
        self.quick: list[bytes] = []
        self.service = Service(self.sidecar, self.processing, self._timer, self._at_once if is_quick else None)
        self.calls = Calls(self.connection, self.service)
        self._decoder = HpackDecoder(16_384)

    def _at_once(self, message: bytes) -> bytes | None:
        if message == b"raise":
            raise RuntimeError("as told")
        if b"say" not in message or b"done" not in message:
            return None
        self.sidecar.messages.append(message)
        self.quick.append(message)
        return message

    def _timer(self) -> float:
        self.ticks += 0.25
        return self.ticks

    def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            left = piece[self.connection.work_off(piece) :]  # as `H2Protocol` does
            for event in self.connection.receive(left, 0.0):
                try:
                    self.calls.handle(event)
                except RuntimeError:
                    self.calls.fail(event)

    def opens(self, method: str = port.PROCESS_METHOD, stream_id: int = 1, *, end: bool = False, **also: bytes) -> None:
        fields = [(name, method.encode() if name == b":path" else value) for name, value in FIELDS]
        more = [(name.replace("_", "-").encode(), value) for name, value in also.items()]
        self.says(headers(stream_id, of=block([*fields, *more]), end=end))

    def gets(self, stream_id: int = 1) -> list[bytes | list[Field] | ErrorCode]:
        """What came on a stream: fields, data, a reset."""
        heard: list[bytes | list[Field] | ErrorCode] = []
        for frame in self.hears():
            fields = self._decoder.decode(frame.payload) if frame.kind == frames.HEADERS else None
            if frame.stream_id != stream_id:
                continue
            if fields is not None:
                heard.append(fields)
            elif frame.kind == frames.DATA:
                heard.append(frame.payload)
            elif frame.kind == frames.RST_STREAM:
                heard.append(ErrorCode(frames.unpack_id(frame.payload)[0]))
        return heard

    def status(self, stream_id: int = 1) -> Status:
        """The status of a call that ended without a message."""
        (only,) = self.gets(stream_id)
        assert isinstance(only, list)
        assert only[:2] == HEAD
        return Status(int(dict(only)[b"grpc-status"]))


def message(text: bytes, stream_id: int = 1, *, end: bool = False) -> bytes:
    return data(framed(text), stream_id, end=end)
