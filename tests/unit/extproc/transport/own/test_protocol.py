"""One connection over a real socket pair: what the shell adds to the calls."""

import asyncio
import socket

import pytest

from extproc.grpc_wire.framing import framed
from extproc.h2 import frames
from extproc.transport import port
from extproc.transport.own.call import Service
from extproc.transport.own.protocol import PATIENCE, H2Protocol, OpenConnections, Patience
from tests.unit.extproc.h2.peer import FIELDS, GREETING, block, data, headers, parse, rst
from tests.unit.extproc.transport.sidecar import LOOPS, RecordingSidecar, eventually, histogram, run_on

pytestmark = pytest.mark.parametrize("loop", LOOPS)

ENOUGH = frames.window_update(0, 2**31 - 65_536) + frames.settings({4: 2**31 - 1})


class Wire:
    """The client's end of a socket pair; the server's end is the protocol."""

    def __init__(self, patience: Patience = PATIENCE, *, count_max: int = 1) -> None:
        self.sidecar = RecordingSidecar()
        self.service = Service(self.sidecar, histogram(), lambda: 0.0)
        self.connections = OpenConnections(count_max)
        self.patience = patience

    async def connect(self) -> "Wire":
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        loop = asyncio.get_running_loop()
        self.server = H2Protocol(self.service, self.connections, patience=self.patience)
        await loop.connect_accepted_socket(lambda: self.server, ours)
        self.reader, self.writer = await asyncio.open_connection(sock=theirs)
        return self

    async def until_closed(self) -> bytes:
        """Everything that still comes."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


def test_requests_of_one_read_are_answered_in_one_write(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + headers(1) + data(framed(b"tag 1")) + headers(3) + data(framed(b"tag 2"), 3))
        answers = b""
        while answers.count(b"re:tag") < 2:
            answers += await wire.reader.read(65_536)
        assert [frame.stream_id for frame in parse(answers)][3:] == [1, 1, 1, 3, 3, 3]
        wire.close()
        await eventually(lambda: len(wire.connections) == 0)

    run_on(loop, story)


def test_a_broken_rule_is_told_and_the_connection_closed(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + headers(1) + rst(0))
        *_, goaway = parse(await wire.until_closed())
        assert goaway.kind == frames.GOAWAY
        await eventually(lambda: wire.sidecar.closed == 1)
        wire.close()

    run_on(loop, story)
    (record,) = [record for record in caplog.records if record.message == "connection refused"]
    assert vars(record)["code"] == "PROTOCOL_ERROR"


def test_why_a_connection_was_refused_is_read_though_the_peer_goes_on_sending(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + rst(0))
        await eventually(lambda: wire.server._connection.is_over)
        wire.writer.write(bytes(100_000))
        *_, goaway = parse(await wire.until_closed())
        assert goaway.kind == frames.GOAWAY
        wire.close()
        await eventually(lambda: len(wire.connections) == 0)

    run_on(loop, story)


def test_a_refused_peer_that_stays_is_let_go(loop: str) -> None:
    async def story() -> None:
        wire = await Wire(Patience(goodbye_s=0.05)).connect()
        wire.writer.write(GREETING + rst(0))
        await eventually(lambda: len(wire.connections) == 0)
        wire.close()

    run_on(loop, story)


def test_a_lost_connection_closes_its_calls(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + headers(1) + data(framed(b"a")) + headers(3))
        await eventually(lambda: wire.sidecar.messages == [b"a"])
        wire.writer.transport.abort()
        await eventually(lambda: wire.sidecar.closed == 2)

    run_on(loop, story)


def test_a_handler_that_raises_is_logged_and_the_connection_goes_on(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(RecordingSidecar):
        def access_logs(self, message: bytes) -> None:
            raise RuntimeError("as told")

    async def story() -> None:
        wire = Wire()
        wire.service.handlers = Faulty()
        await wire.connect()
        path = [(name, port.ACCESS_LOGS_METHOD.encode() if name == b":path" else value) for name, value in FIELDS]
        wire.writer.write(GREETING + headers(1, of=block(path)) + data(framed(b"a")))
        wire.writer.write(headers(3) + data(framed(b"tag"), 3))
        answers = b""
        while b"re:tag" not in answers:
            answers += await wire.reader.read(65_536)
        wire.close()

    run_on(loop, story)
    assert [record.message for record in caplog.records if record.exc_info] == ["a handler raised"]


def test_a_peer_that_is_not_welcome_is_turned_away(loop: str) -> None:
    async def story() -> None:
        wire = await Wire(count_max=0).connect()
        assert await wire.until_closed() == b""
        wire.close()

    run_on(loop, story)


def test_a_peer_that_says_nothing_is_let_go(loop: str) -> None:
    async def story() -> None:
        wire = await Wire(Patience(greeting_s=0.05)).connect()
        wire.writer.write(GREETING[:20])
        await wire.until_closed()
        assert len(wire.connections) == 0
        wire.close()

    run_on(loop, story)


def test_a_peer_that_greeted_may_be_silent(loop: str) -> None:
    async def story() -> None:
        wire = await Wire(Patience(greeting_s=0.05)).connect()
        wire.writer.write(GREETING)
        await asyncio.sleep(0.15)
        assert list(wire.connections) == [wire.server]
        wire.close()
        await eventually(lambda: len(wire.connections) == 0)

    run_on(loop, story)


def asked(start: int, count: int) -> bytes:
    """Requests whose answers are as long as they are."""
    tag = framed(b"tag" + bytes(10_000))
    return b"".join(headers(each) + data(tag, each) for each in range(start, start + 2 * count, 2))


def test_a_peer_that_does_not_read_is_not_read_from_and_goes_on_when_it_does(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + ENOUGH)
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        total = 600  # six megabytes of answers
        wire.writer.write(asked(1, total))
        await asyncio.sleep(0.3)
        before = len(wire.sidecar.messages)
        assert before < total, "reading stopped"
        wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
        read = 0
        while read < total * 10_000:
            read += len(await wire.reader.read(1_000_000))
        assert len(wire.sidecar.messages) == total
        wire.close()

    run_on(loop, story)


def test_a_peer_that_never_reads_is_let_go(loop: str) -> None:
    async def story() -> None:
        wire = await Wire(Patience(stall_s=0.1)).connect()
        wire.writer.write(GREETING + ENOUGH)
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        wire.writer.write(asked(1, 600))
        await eventually(lambda: len(wire.connections) == 0)
        wire.writer.transport.abort()

    run_on(loop, story)


def test_draining_waits_for_what_runs(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + headers(1) + data(framed(b"a")))
        await eventually(lambda: wire.sidecar.messages == [b"a"])
        wire.server.drain()
        wire.server.close_if_idle()
        wire.writer.write(data(framed(b"end")))
        await eventually(lambda: wire.sidecar.closed == 1)
        wire.server.close_if_idle()
        kinds = [frame.kind for frame in parse(await wire.until_closed())]
        assert frames.GOAWAY in kinds
        assert kinds[-1] == frames.HEADERS
        for call in (wire.server.drain, wire.server.close_if_idle, wire.server.abort, wire.server.resume_writing):
            call()  # of a connection that is gone
        wire.close()

    run_on(loop, story)


def test_a_connection_that_only_tells_is_read_in_lulls_and_nothing_of_it_is_lost(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.writer.write(GREETING + headers(1))
        for number in range(50):
            wire.writer.write(data(framed(b"hear %d" % number)))
            await asyncio.sleep(0.001)
        await eventually(lambda: len(wire.sidecar.messages) == 50)
        assert wire.sidecar.messages == [b"hear %d" % number for number in range(50)]
        wire.writer.write(headers(3) + data(framed(b"tag"), 3))
        answers = b""
        while b"re:tag" not in answers:
            answers += await wire.reader.read(65_536)
        wire.close()
        await eventually(lambda: len(wire.connections) == 0)

    run_on(loop, story)


def test_what_is_asked_beside_what_is_told_is_answered_without_a_lull(loop: str) -> None:
    async def story() -> None:
        wire = await Wire().connect()
        wire.server.data_received(GREETING + headers(1) + data(framed(b"hear")) + headers(3) + data(framed(b"tag"), 3))
        assert wire.server._lull is None
        wire.server.data_received(data(framed(b"hear")))
        assert wire.server._lull is not None
        assert wire.sidecar.messages == [b"hear", b"tag", b"hear"]
        wire.close()
        await eventually(lambda: len(wire.connections) == 0)

    run_on(loop, story)
