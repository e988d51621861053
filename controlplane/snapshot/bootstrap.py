"""Envoy's bootstrap from the template in `envoy/`, and the command line that belongs to it.

`render` is pure: template text and settings in, YAML out. Every value goes in as JSON, which is YAML, so a path or a
name with quotes, colons or newlines cannot change the file's structure.
"""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from controlplane.snapshot.errors import BootstrapError
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import TYPE_PREFIX

TEMPLATE_NAME = "bootstrap.yaml"
# sun_path of a Unix socket holds 108 bytes with its end mark.
SOCKET_PATH_BYTES_MAX = 107
_API_TYPES = {Mode.DELTA: "DELTA_GRPC", Mode.SOTW: "GRPC"}
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_PLAIN = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Paths of PEM files with which Envoy proves itself to the control plane and checks it. mTLS or nothing."""

    ca: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class BootstrapSettings:
    """Who an Envoy is and what it talks to.

    `sidecar_sockets`: one Unix socket for each worker of the sidecar; the first gets logs and observed responses.
    `retry_*_ms`: reconnecting to the control plane; the defaults are for few Envoys, thousands of them need seconds.
    `xds_mode`: incremental unless something between Envoy and control plane knows only the other: a weight step then
    carries one virtual host, not every route.
    """

    node_id: str
    sidecar_sockets: tuple[str, ...]
    node_cluster: str = "default"
    admin_host: str = "127.0.0.1"
    admin_port: int = 7420
    xds_host: str = "127.0.0.1"
    xds_port: int = 7401
    tls: ClientTls | None = None
    retry_base_ms: int = 100
    retry_max_ms: int = 1_000
    xds_mode: Mode = Mode.DELTA


def read_template(name: str = TEMPLATE_NAME) -> str:
    """A template's text: from the installed package, or from `envoy/` of a source tree."""
    packaged = resources.files("controlplane") / "_envoy_templates" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "envoy" / name).read_text(encoding="utf-8")


def render(template_text: str, settings: BootstrapSettings) -> str:
    """The bootstrap as YAML. Raises BootstrapError: no node id, an admin address beyond loopback, a bad socket path."""
    _check(settings)
    values = {
        "NODE_ID": settings.node_id,
        "NODE_CLUSTER": settings.node_cluster,
        "ADMIN_ADDRESS": _socket_address(settings.admin_host, settings.admin_port),
        "XDS_ADDRESS": _socket_address(settings.xds_host, settings.xds_port),
        "XDS_CLUSTER_TYPE": "STATIC" if _ip(settings.xds_host) else "STRICT_DNS",
        "XDS_TRANSPORT_SOCKET": _transport_socket(settings),
        "XDS_API_TYPE": _API_TYPES[settings.xds_mode],
        "XDS_RETRY_BASE": f"{settings.retry_base_ms / 1000}s",
        "XDS_RETRY_MAX": f"{settings.retry_max_ms / 1000}s",
        "SIDECAR_ENDPOINTS": _pipes(settings.sidecar_sockets),
        "OBSERVE_ENDPOINTS": _pipes(settings.sidecar_sockets[:1]),
    }
    return Template(template_text).substitute({key: json.dumps(value) for key, value in values.items()})


def envoy_arguments(bootstrap_path: str, *, log_level: str = "warning", workers: int | None = None) -> tuple[str, ...]:
    """Envoy's arguments, without the binary. `workers` None: one for each CPU that it may use.

    ext_proc logs a warning per request while the sidecar is away: 200 lines for 200 requests, none with `error`.
    Hot restart is off: it needs shared memory under a number that two Envoys of one machine would fight over.
    """
    arguments = ("-c", bootstrap_path, "--log-level", log_level, "--component-log-level", "ext_proc:error")
    concurrency = ("--concurrency", str(workers)) if workers is not None else ()
    return (*arguments, "--disable-hot-restart", *concurrency)


def _pipes(paths: Sequence[str]) -> list[dict[str, object]]:
    return [{"endpoint": {"address": {"pipe": {"path": path}}}} for path in paths]


def _check(settings: BootstrapSettings) -> None:
    if not settings.node_id:
        raise BootstrapError("an Envoy needs a node id", next_step="name it, for example after its host")
    address = _ip(settings.admin_host)
    if address is None or not address.is_loopback:
        raise BootstrapError(
            f"Envoy's admin address {settings.admin_host} is not a loopback IP: whoever reaches it can stop Envoy",
            next_step="use 127.0.0.1",
        )
    if not settings.sidecar_sockets:
        raise BootstrapError("no sidecar socket is given", next_step="name the socket that the sidecar listens on")
    for path in settings.sidecar_sockets:
        if len(path.encode()) > SOCKET_PATH_BYTES_MAX:
            raise BootstrapError(
                f"the socket path {path} has more than {SOCKET_PATH_BYTES_MAX} bytes",
                next_step="use a shorter run directory",
            )


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _socket_address(host: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}


def _transport_socket(settings: BootstrapSettings) -> Mapping[str, object]:
    if settings.tls is None:
        return {"name": "envoy.transport_sockets.raw_buffer", "typed_config": {"@type": TYPE_PREFIX + _PLAIN}}
    san_type = "IP_ADDRESS" if _ip(settings.xds_host) else "DNS"
    # Without the name any certificate of the CA would do, a sidecar's as well.
    names = [{"san_type": san_type, "matcher": {"exact": settings.xds_host}}]
    context: dict[str, object] = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificates": [
            {
                "certificate_chain": {"filename": settings.tls.cert},
                "private_key": {"filename": settings.tls.key},
            }
        ],
        "validation_context": {
            "trusted_ca": {"filename": settings.tls.ca},
            "match_typed_subject_alt_names": names,
        },
        "alpn_protocols": ["h2"],
    }
    sni = {} if _ip(settings.xds_host) else {"sni": settings.xds_host}
    typed_config = {"@type": TYPE_PREFIX + _TLS, "common_tls_context": context, **sni}
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed_config}
