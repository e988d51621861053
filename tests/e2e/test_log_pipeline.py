"""The example's rsyslog carries the log in the Elastic Common Schema to a bulk interface, line for line."""

import json
import logging
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from controlplane.telemetry.exporter import EcsFormatter
from extproc.accesslog.entry import outcome_of
from extproc.accesslog.told import RequestLog
from tests import skips
from tests.unit.extproc.messages import entry

pytestmark = pytest.mark.e2e

CONF = Path(__file__).parents[2] / "docs" / "examples" / "logs" / "rsyslog.conf"
LINES = 50
DEADLINE_S = 60.0


class Bulk(BaseHTTPRequestHandler):
    """Takes `_bulk` as Elasticsearch does: a line that says where, a line that is the document."""

    documents: list[Any]

    def do_POST(self) -> None:
        rows = self.rfile.read(int(self.headers["content-length"])).splitlines()
        assert self.path.startswith("/_bulk")
        assert all(json.loads(row)["index"]["_index"] == "serinus" for row in rows[::2])
        self.documents += [json.loads(row) for row in rows[1::2]]
        self._say({"errors": False, "items": [{"index": {"status": 201}} for _ in rows[1::2]]})

    def do_GET(self) -> None:
        self._say({"status": "green"})

    do_HEAD = do_GET  # noqa: N815

    def _say(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def written(number: int) -> str:
    fields = {"rollout": "chat-v2", "service": "chat", "action": "hold", "code": "min_step"}
    record = logging.makeLogRecord({"name": "serinus", "levelname": "INFO", "msg": f'"{number}" ü', "fields": fields})
    return EcsFormatter().format(record) + "\n"


def ended(number: int) -> str:
    lines: list[str] = []
    request = entry(f"request-{number}")
    RequestLog(10_000, lines.append, lambda: None).told(request, outcome_of(request, None), 0)
    return lines[0]


def test_every_line_arrives_as_it_was_written(tmp_path: Path) -> None:
    rsyslogd = shutil.which("rsyslogd", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin") or shutil.which("rsyslogd")
    if rsyslogd is None:
        skips.skip("rsyslog is missing", next_step="install Debian's rsyslog and rsyslog-elasticsearch")
    modules = tmp_path / "modules.conf"
    modules.write_text('module(load="mmjsonparse")\nmodule(load="omelasticsearch")\naction(type="mmjsonparse")\n')
    if subprocess.run([rsyslogd, "-N1", "-f", str(modules)], check=False, capture_output=True, timeout=60).returncode:
        skips.skip("rsyslog has no Elasticsearch output", next_step="install Debian's rsyslog-elasticsearch")
    log, requests, conf = (tmp_path / name for name in ("controlplane.json", "requests.json", "rsyslog.conf"))
    log.write_text("".join(map(written, range(LINES))) + "no JSON at all\n", encoding="utf-8")
    requests.write_text("".join(map(ended, range(LINES))), encoding="utf-8")
    documents: list[Any] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Bulk,), {"documents": documents}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    text = CONF.read_text(encoding="utf-8").replace("/var/log/serinus/controlplane.json", str(log))
    text = text.replace("/var/log/serinus/requests.json", str(requests))
    text = text.replace("/var/spool/rsyslog", str(tmp_path)).replace('"9200"', f'"{server.server_port}"')
    conf.write_text(text, encoding="utf-8")
    process = subprocess.Popen([rsyslogd, "-n", "-f", str(conf), "-i", str(tmp_path / "pid")])
    try:
        deadline = time.monotonic() + DEADLINE_S
        while len(documents) < 2 * LINES:
            assert process.poll() is None, "rsyslogd ended; next: rsyslogd -N1 -f docs/examples/logs/rsyslog.conf"
            assert time.monotonic() < deadline, f"{len(documents)} of {2 * LINES} lines came"
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(30)
        server.shutdown()
        server.server_close()
    told = [
        json.loads(line) for file in (log, requests) for line in file.read_text(encoding="utf-8").splitlines()[:LINES]
    ]
    for dataset in ("serinus.decisions", "serinus.requests"):
        came = [each for each in documents if each["event.dataset"] == dataset]
        assert came == [each for each in told if each["event.dataset"] == dataset]
        assert len(came) == LINES
