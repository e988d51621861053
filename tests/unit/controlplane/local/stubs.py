"""Small programs in the place of control plane, sidecar and Envoy: the stack's own behaviour, without theirs.

Each is one Python script that answers 200 to everything on its address. The sidecar's takes a Unix socket over by
rename, as the real one does; Envoy's also listens for users and writes down what its admin address was asked.
"""

import sys
from pathlib import Path

from controlplane.local.commands import CONTROLPLANE, ENVOY, EXTPROC
from controlplane.local.processes import ChildSpec
from controlplane.local.rundir import RunDir
from controlplane.local.settings import StackSettings

_SERVE = """
import http.server, os, signal, socket, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.command, self.path, flush=True)
        body = b'{"stats": []}' if self.path.startswith('/stats') else b'ok'
        self.send_response(200); self.send_header('content-length', str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *a): pass
class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
def on_term(*a):
    print('told to end', time.monotonic_ns(), flush=True); os._exit(0)
signal.signal(signal.SIGTERM, on_term)
host, port = sys.argv[1].split(':')
"""
_PLAIN = "Server((host, int(port)), Handler).serve_forever()\n"
_SIDECAR = """
path = sys.argv[2]; own = path + '.' + str(os.getpid())
unix = socket.socket(socket.AF_UNIX); unix.bind(own); unix.listen(); print('here', flush=True); os.rename(own, path)
"""
_ENVOY = """
gate = socket.create_server(('127.0.0.1', int(sys.argv[2].split(':')[1])))
"""


class StubCommands:
    """`fail`: names of processes whose program ends at once with exit code 3, saying so."""

    def __init__(self, *, fail: tuple[str, ...] = ()) -> None:
        self._fail = fail

    def controlplane(self, settings: StackSettings, run: RunDir) -> ChildSpec:
        return self._spec(CONTROLPLANE, run, _PLAIN, settings.http)

    def extproc(self, settings: StackSettings, run: RunDir) -> ChildSpec:
        return self._spec(EXTPROC, run, _SIDECAR + _PLAIN, settings.sidecar_http, str(run.socket))

    def envoy(self, settings: StackSettings, run: RunDir) -> ChildSpec:
        return self._spec(ENVOY, run, _ENVOY + _PLAIN, settings.envoy_admin, settings.listen)

    def _spec(self, name: str, run: RunDir, body: str, *arguments: str) -> ChildSpec:
        text = f"import sys; sys.exit('{name} has no luck')" if name in self._fail else _SERVE + body
        return ChildSpec(name, (sys.executable, "-c", text, *arguments), run.log(name), grace_ms=2_000)


def log_text(state_dir: Path, name: str) -> str:
    return (state_dir / "logs" / f"{name}.log").read_text()


def told_to_end_ns(state_dir: Path, name: str) -> int:
    """When the process was told, on the machine's monotonic clock."""
    return int(log_text(state_dir, name).split("told to end ")[-1].split()[0])
