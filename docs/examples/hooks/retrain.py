"""Starts a command when Serinus tells of drift: a retraining, a pipeline, a rollout elsewhere. Python alone.

    python retrain.py --key-file hook.key --listen 127.0.0.1:9000 -- make retrain

In the rollout's manifest: `notify: [{webhook: "http://127.0.0.1:9000/", key_file: hook.key, on: [drift]}]`.
The command gets SERINUS_ROLLOUT, SERINUS_SERVICE, SERINUS_CANDIDATE and SERINUS_TEXT. One runs at a time.
"""

import argparse
import hashlib
import hmac
import json
import os
import subprocess
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BODY_BYTES_MAX = 64 * 1024
# Notices come again after a crash, under the same id: nobody retrains twice for one.
IDS_KEPT = 1_000


def is_ours(key: bytes, header: str, body: bytes, now_s: float) -> bool:
    """Whether the sender has the key, and sent it just now."""
    fields = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    signed = hmac.new(key, fields.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
    is_signed = hmac.compare_digest(signed.encode(), fields.get("v1", "").encode())
    return is_signed and abs(now_s - int(fields["t"])) < 300


class Retraining:
    """At most one run of the command, and each notice once."""

    def __init__(self, command: list[str]) -> None:
        self._command, self._lock = command, threading.Lock()
        self._seen: deque[str] = deque(maxlen=IDS_KEPT)
        self._running: subprocess.Popen[bytes] | None = None

    def hear(self, notice: dict[str, Any]) -> str:
        with self._lock:
            if notice["event"] != "drift" or notice["id"] in self._seen:
                return "nothing to do"
            if self._running is not None and self._running.poll() is None:
                return "busy"
            about = {f"SERINUS_{name.upper()}": notice[name] for name in ("rollout", "service", "candidate", "text")}
            self._running = subprocess.Popen(self._command, env={**os.environ, **about}, stdin=subprocess.DEVNULL)
            self._seen.append(notice["id"])
            return "started"


def handler(key: bytes, retraining: Retraining) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size) if 0 < size <= BODY_BYTES_MAX else b""
            if not is_ours(key, self.headers.get("x-serinus-signature", ""), body, time.time()):
                return self._answer(403, "not signed by Serinus")
            said = retraining.hear(json.loads(body))
            # 503 is tried again later, 2xx is not.
            return self._answer(503 if said == "busy" else 202, said)

        def _answer(self, status: int, said: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description="Starts a command when Serinus tells of drift.")
    parser.add_argument("--key-file", type=Path, required=True, help="the file that the manifest's key_file names")
    parser.add_argument("--listen", default="127.0.0.1:9000", help="HOST:PORT")
    parser.add_argument("command", nargs="+", help="what to start, after --")
    given = parser.parse_args()
    host, _, port = given.listen.rpartition(":")
    key = given.key_file.read_bytes().strip()
    ThreadingHTTPServer((host, int(port)), handler(key, Retraining(given.command))).serve_forever()


if __name__ == "__main__":
    main()
