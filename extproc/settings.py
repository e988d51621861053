"""Everything the sidecar can be told, parsed and checked once at start; all faults are reported together.

Each flag is also an environment variable: `--run-dir` is `SERINUS_RUN_DIR`. A flag wins over its variable.
"""

import argparse
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from extproc.errors import SidecarError
from serinus.contract.workers import WORKERS_MAX, worker_sockets

ENV_PREFIX = "SERINUS_"
# Our own HTTP/2 server, and the reference that it is held against.
TRANSPORTS = ("own", "grpcio")
# What clients of --tcp must show: a certificate of --tls-ca, none, or that there is no TLS at all.
TCP_TLS = ("mutual", "server", "off")
# sun_path holds 108 bytes with its NUL; the temporary name beside the socket adds a dot, a dot and the process id.
SOCKET_PATH_BYTES_MAX = 107 - len(".") - len(".4194304")
# A request is waited for this long after its start unless the service's policy says otherwise: 24 tokens of a small
# model take 0.3-2.6 s (p95, measured on two cores); a rollout with longer answers sets `pace.follow_up`.
FOLLOW_UP_MS_DEFAULT = 10_000
FOLLOW_UP_MS_MAX = 3_600_000
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_PERCENT = re.compile(r"(\d+(?:\.\d{1,2})?)%")
_EVALUATOR = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000}

_EPILOG = """example:
  python -m extproc --run-dir run --node-id envoy-1 --controlplane 127.0.0.1:7401 --envoy-admin 127.0.0.1:7420
  … --tcp 0.0.0.0:7413 --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem    (for an Envoy on another machine)

Every flag is also an environment variable: --run-dir is SERINUS_RUN_DIR. A flag wins.
"""


class SettingsError(SidecarError):
    """One or more settings are wrong; nothing was started."""

    code = "bad_settings"


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The client identity towards the control plane, and the server's on `--tcp` and on `--http` beyond loopback."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Settings:
    socket: Path
    # Beside the socket; `tcp_tls` is one of TCP_TLS.
    tcp: Address | None
    tcp_tls: str
    run_dir: Path
    policy_dir: Path
    controlplane: Address
    http: Address
    envoy_admin: Address
    node_id: str
    node_cluster: str
    transport: str
    follow_up_ms: int
    tls: TlsFiles | None
    workers: int = 1
    # A URL, or module:function; "" none. Of the answers that it could rate, so many of 10000.
    evaluator: str = ""
    evaluate_bp: int = 0
    # Of requests that have ended, so many of 10000 are told on the standard output.
    log_requests_bp: int = 0

    @property
    def http_tls(self) -> TlsFiles | None:
        """TLS for /metrics: beyond loopback only, where `parse` lets plain text through on --insecure alone."""
        return None if self.http.is_loopback else self.tls


def _parser(env: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m extproc",
        description="The Serinus sidecar: tags requests for one Envoy (ext_proc), reads how they ended (access logs), "
        "and reports the outcomes of each second to the control plane.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def flag(name: str, default: str, metavar: str, text: str) -> None:
        value = env.get(ENV_PREFIX + name.replace("-", "_").upper(), default)
        shown = f" (default: {default})".replace("%", "%%") if default else ""
        parser.add_argument(f"--{name}", default=value, metavar=metavar, help=text + shown)

    flag("socket", "", "PATH", "the Unix socket that Envoy connects to, mode 0600 (default: RUN_DIR/extproc.sock)")
    flag("tcp", "", "HOST:PORT", "also listen here, for an Envoy elsewhere; beyond loopback needs TLS or --insecure")
    flag("tcp-tls", "", "|".join(TCP_TLS), "who may connect to --tcp (default: mutual with --tls-*, otherwise off)")
    flag("run-dir", "run", "DIR", "the last cohort policy and the ledger of log entries are kept here")
    flag("policy-dir", "", "DIR", "the list files that cohorts name by `in_file` (default: RUN_DIR/policy)")
    flag("controlplane", "127.0.0.1:7401", "HOST:PORT", "where outcomes go and cohort policy comes from")
    flag("http", "127.0.0.1:7412", "HOST:PORT", "/metrics, /healthz, /readyz; beyond loopback needs TLS or --insecure")
    flag("envoy-admin", "127.0.0.1:7420", "HOST:PORT", "Envoy's admin address, read for its own counters")
    flag("node-id", "", "ID", "the node id of the Envoy beside this sidecar; needed")
    flag("node-cluster", "default", "NAME", "that Envoy's node cluster")
    flag("workers", "1", "N|auto", "processes, each with a socket (SOCKET.0, …) and a --http port (N more) of its own")
    flag("transport", "own", "own|grpcio", "who speaks HTTP/2; grpcio is the reference that our own is held against")
    flag("follow-up", "10s", "TIME", "how long after its start a request is waited for, unless its service says")
    flag("evaluator", "", "URL|MODULE:FUNCTION", "rates a share of observed answers of services that take feedback")
    flag("evaluate", "5%", "PERCENT", "that share")
    flag("log-requests", "", "PERCENT", "one line of JSON (ECS) on the standard output for that share of requests")
    flag("tls-ca", "", "FILE", "PEM of the authority that signed the peers' certificates")
    flag("tls-cert", "", "FILE", "PEM of this sidecar's certificate")
    flag("tls-key", "", "FILE", "PEM of its key")
    parser.add_argument(
        "--insecure",
        action="store_true",
        default=env.get(ENV_PREFIX + "INSECURE", "").lower() in ("1", "true", "yes"),
        help="allow --http and --tcp beyond loopback without TLS",
    )
    return parser


def parse(argv: Sequence[str], env: Mapping[str, str], *, cores: int = 1) -> Settings:
    """Flags and environment -> Settings. `cores` is what `--workers auto` means.

    Raises SettingsError with every fault in one message. `--help` and unknown flags leave by argparse's SystemExit.
    """
    args = _parser(env).parse_args(argv)
    faults: list[str] = []
    run_dir = Path(args.run_dir)
    workers = _workers(args.workers, cores, faults)
    tls = _tls(args.tls_ca, args.tls_cert, args.tls_key, faults)
    settings = Settings(
        socket=_socket(args.socket or str(run_dir / "extproc.sock"), workers, faults),
        tcp=_address("--tcp", args.tcp, faults) if args.tcp else None,
        tcp_tls=args.tcp_tls or ("mutual" if tls else "off"),
        run_dir=run_dir,
        policy_dir=Path(args.policy_dir) if args.policy_dir else run_dir / "policy",
        controlplane=_address("--controlplane", args.controlplane, faults),
        http=_address("--http", args.http, faults),
        envoy_admin=_address("--envoy-admin", args.envoy_admin, faults),
        node_id=args.node_id,
        node_cluster=args.node_cluster,
        transport=args.transport,
        follow_up_ms=_duration_ms("--follow-up", args.follow_up, faults),
        tls=tls,
        workers=workers,
        evaluator=args.evaluator,
        evaluate_bp=_share_bp("--evaluate", args.evaluate, faults),
        log_requests_bp=_share_bp("--log-requests", args.log_requests, faults) if args.log_requests else 0,
    )
    faults += _contradictions(settings, is_insecure=args.insecure)
    if faults:
        raise SettingsError("; ".join(faults), next_step="python -m extproc --help")
    return settings


def _contradictions(settings: Settings, *, is_insecure: bool) -> list[str]:
    """What is wrong between settings that are right one by one."""
    faults: list[str] = []
    if not settings.node_id:
        faults.append("--node-id is needed: the node id of the Envoy beside this sidecar")
    if settings.transport not in TRANSPORTS:
        faults.append(f"--transport {settings.transport}: choose one of {', '.join(TRANSPORTS)}")
    if not settings.http.is_loopback and settings.tls is None and not is_insecure:
        faults.append(f"--http {settings.http} is beyond loopback: give --tls-ca, --tls-cert, --tls-key, or --insecure")
    if settings.http.port + settings.workers > 65_536:
        faults.append(f"--http {settings.http}: {settings.workers} workers need as many ports from there on")
    if settings.tcp_tls not in TCP_TLS:
        faults.append(f"--tcp-tls {settings.tcp_tls}: choose one of {', '.join(TCP_TLS)}")
    faults += _evaluator(settings.evaluator, is_insecure=is_insecure)
    if settings.tcp is None:
        return faults
    if settings.transport == "grpcio":
        faults.append("--tcp is served by --transport own only")
    if settings.workers > 1:
        faults.append("--tcp is served by one worker only")
    if settings.tcp_tls != "off" and settings.tls is None:
        faults.append(f"--tcp-tls {settings.tcp_tls} needs --tls-ca, --tls-cert and --tls-key")
    if settings.tcp_tls == "off" and not settings.tcp.is_loopback and not is_insecure:
        faults.append(
            f"--tcp {settings.tcp} is beyond loopback: give --tls-ca, --tls-cert, --tls-key and no --tcp-tls off, "
            "or --insecure"
        )
    return faults


def _evaluator(where: str, *, is_insecure: bool) -> list[str]:
    """Answers go there: loopback, TLS, or in words."""
    if not where or _EVALUATOR.fullmatch(where):
        return []
    url = urlsplit(where)
    if url.scheme not in ("http", "https") or not url.hostname:
        return [f"--evaluator {where}: neither a URL nor module:function"]
    if url.scheme == "http" and not Address(url.hostname, 1).is_loopback and not is_insecure:
        return [f"--evaluator {where} is beyond loopback: use https, or --insecure"]
    return []


def _workers(text: str, cores: int, faults: list[str]) -> int:
    if text == "auto":
        return min(cores, WORKERS_MAX)
    if not text.isdecimal() or not 1 <= int(text) <= WORKERS_MAX:
        faults.append(f"--workers {text!r} is not 1 to {WORKERS_MAX}, or auto")
        return 1
    return int(text)


def _socket(text: str, workers: int, faults: list[str]) -> Path:
    if len(worker_sockets(text, workers)[-1].encode()) > SOCKET_PATH_BYTES_MAX:
        faults.append(f"--socket {text}: longer than {SOCKET_PATH_BYTES_MAX} bytes, which a Unix socket cannot carry")
    return Path(text)


def _address(flag: str, text: str, faults: list[str]) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        faults.append(f"{flag} {text!r} is not HOST:PORT")
        return Address("127.0.0.1", 1)
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _duration_ms(flag: str, text: str, faults: list[str]) -> int:
    found = _DURATION.fullmatch(text)
    value_ms = int(float(found[1]) * _UNIT_MS[found[2]]) if found else 0
    if not 0 < value_ms <= FOLLOW_UP_MS_MAX:
        faults.append(f"{flag} {text!r} is not a time up to 60m with its unit, for example 10s")
        return FOLLOW_UP_MS_DEFAULT
    return value_ms


def _share_bp(flag: str, text: str, faults: list[str]) -> int:
    found = _PERCENT.fullmatch(text)
    share_bp = round(float(found[1]) * 100) if found else 0
    if not 0 < share_bp <= 10_000:
        faults.append(f"{flag} {text!r} is not a share from 0.01% to 100%, for example 5%")
    return share_bp


def _tls(ca: str, cert: str, key: str, faults: list[str]) -> TlsFiles | None:
    if not (ca or cert or key):
        return None
    if not (ca and cert and key):
        faults.append("--tls-ca, --tls-cert and --tls-key belong together: give all three or none")
        return None
    for flag, path in (("--tls-ca", ca), ("--tls-cert", cert), ("--tls-key", key)):
        if not Path(path).is_file():
            faults.append(f"{flag} {path}: no such file")
    return TlsFiles(Path(ca), Path(cert), Path(key))
