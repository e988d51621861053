"""Clients that others wrote, against the TCP listener: h2spec, nghttp and h2load, in plain text and over TLS.

nghttp and h2load are Debian's `nghttp2-client`; h2spec is one Go program. None is needed to install or run Serinus:
where one is missing its tests are skipped, loudly. What h2spec demands stands in `test_h2spec_cases.py` in any case.
"""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from controlplane.clock import SystemClock
from controlplane.security.ca import issue_server, make_authority
from extproc.grpc_wire.framing import framed
from extproc.transport import port
from extproc.transport.own.endpoint import ServerTls, TcpEndpoint
from extproc.transport.own.server import OwnTransport
from tests import skips
from tests.unit.extproc.transport.sidecar import LOOPS, RecordingSidecar, histogram, run_on

CALL = ("-H", ":method: POST", "-H", "content-type: application/grpc", "-H", "te: trailers")
# h2load has 16 calls under way on each of 4 connections.
LOAD_CALLS = 2_000
TOOL_S = 120
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
NGHTTP_WAYS = {
    "as it comes": (),
    "padded": ("--padding=64",),
    "a window of a byte": ("--window-bits=1",),
    "an HPACK table that shrinks and grows": ("--header-table-size=0", "--header-table-size=4096"),
    "no priorities": ("--no-dep",),
    "trailers": ("--trailer=x-checksum: 1",),
    "no content-length": ("--no-content-length",),
    "many at once": ("--multiply=50",),
}


class Listener:
    """What a tool is told of the server."""

    def __init__(self, sidecar: RecordingSidecar, number: int, *, is_tls: bool) -> None:
        self.sidecar = sidecar
        self.port = number
        self.is_tls = is_tls
        self.url = f"{'https' if is_tls else 'http'}://127.0.0.1:{number}"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    directory = tmp_path_factory.mktemp("certificates")
    now_ms = SystemClock().now_ms()
    issued = issue_server(make_authority(now_ms=now_ms, days=1), hosts=["127.0.0.1"], now_ms=now_ms)
    (directory / "cert").write_bytes(issued.cert_pem)
    (directory / "key").write_bytes(issued.key_pem)
    return ServerTls(directory / "cert", directory / "key")


def tool(name: str, next_step: str = "apt-get install nghttp2-client") -> str:
    found = shutil.which(name)
    if found is None:
        skips.skip(f"{name} is not installed", next_step=next_step)
    return found


def against(loop: str, endpoint_tls: ServerTls | None, work: Callable[[Listener], None]) -> None:
    """Runs `work` in a thread while the server serves."""

    async def story() -> None:
        sidecar = RecordingSidecar()
        transport = OwnTransport(TcpEndpoint("127.0.0.1", 0, endpoint_tls), sidecar, histogram())
        await transport.start()
        try:
            listener = Listener(sidecar, transport.tcp_port, is_tls=endpoint_tls is not None)
            await asyncio.to_thread(work, listener)
        finally:
            await transport.drain()

    run_on(loop, story, within_s=TOOL_S)


def said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=TOOL_S, check=False)
    return _COLOURS.sub("", done.stdout + done.stderr)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_h2spec_finds_nothing(tls: ServerTls, is_tls: bool, tmp_path: Path) -> None:
    """Every case of its sections generic, http2 and hpack, the strict ones too; none may be skipped."""
    h2spec = tool("h2spec", "go install github.com/summerwind/h2spec/cmd/h2spec@latest, and put it on PATH")
    report = tmp_path / "report.xml"

    def work(listener: Listener) -> None:
        secured = ("--tls", "--insecure") if listener.is_tls else ()
        where = ("-h", "127.0.0.1", "-p", str(listener.port), "-P", port.PROCESS_METHOD)
        text = said(h2spec, *where, *secured, "--strict", "--timeout=10", "--junit-report", str(report))
        assert " 0 skipped, 0 failed" in text, text[text.find("Failures") :]

    against("uvloop", tls if is_tls else None, work)
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) >= 146
    assert [case.attrib for case in cases if case.find("failure") is not None or case.find("skipped") is not None] == []


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", NGHTTP_WAYS)
def test_nghttp_gets_its_answers(loop: str, way: str, tmp_path: Path) -> None:
    nghttp = tool("nghttp")
    message = tmp_path / "message"
    message.write_bytes(framed(b"tag 1"))

    def work(listener: Listener) -> None:
        text = said(nghttp, "-v", *NGHTTP_WAYS[way], *CALL, "-d", str(message), listener.url + port.PROCESS_METHOD)
        calls = 50 if way == "many at once" else 1
        assert text.count("grpc-status: 0") == calls, text
        assert text.count("re:tag 1") == calls or way == "a window of a byte", text
        assert "RST_STREAM" not in text
        assert "recv GOAWAY" not in text
        assert listener.sidecar.messages == [b"tag 1"] * calls

    against(loop, None, work)


def test_nghttp_over_tls_chooses_h2(tls: ServerTls, tmp_path: Path) -> None:
    nghttp = tool("nghttp")
    message = tmp_path / "message"
    message.write_bytes(framed(b"tag 1"))

    def work(listener: Listener) -> None:
        text = said(nghttp, "-v", "-y", *CALL, "-d", str(message), listener.url + port.PROCESS_METHOD)
        assert "The negotiated protocol: h2" in text, text
        assert text.count("grpc-status: 0") == 1, text

    against("asyncio", tls, work)


def test_nghttp_with_headers_beyond_the_bound_is_told_so() -> None:
    """Its large header is longer than any block that may hold the list we allow."""
    nghttp = tool("nghttp")

    def work(listener: Listener) -> None:
        text = said(nghttp, "-v", "--continuation", listener.url + port.PROCESS_METHOD)
        assert "ENHANCE_YOUR_CALM" in text, text

    against("asyncio", None, work)


def test_whoever_asks_without_grpc_reads_what_is_taken() -> None:
    nghttp = tool("nghttp")

    def work(listener: Listener) -> None:
        text = said(nghttp, "-v", listener.url + "/")
        assert ":status: 405" in text, text
        assert "This port takes gRPC calls only" in text

    against("asyncio", None, work)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_h2load_loses_no_call(loop: str, tls: ServerTls, is_tls: bool, tmp_path: Path) -> None:
    h2load = tool("h2load")
    message = tmp_path / "message"
    message.write_bytes(framed(b"tag 1"))

    def work(listener: Listener) -> None:
        load = ("-n", str(LOAD_CALLS), "-c", "4", "-m", "16", "-d", str(message))
        text = said(h2load, *load, *CALL[2:], listener.url + port.PROCESS_METHOD)
        assert f"{LOAD_CALLS} succeeded, 0 failed, 0 errored, 0 timeout" in text, text
        assert f"status codes: {LOAD_CALLS} 2xx" in text, text
        assert len(listener.sidecar.messages) == LOAD_CALLS
        assert listener.sidecar.closed == LOAD_CALLS

    against(loop, tls if is_tls else None, work)
