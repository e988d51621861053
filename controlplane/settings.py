"""The control plane's settings: frozen, parsed once, all faults reported at once by the shells that build them."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.errors import SerinusError

# A cluster of dead endpoints warms until its first health check has failed (seconds), and an Envoy that lost its
# control plane comes back within half a minute. Below a second every slow handshake would count as an absence.
PROXY_TIMEOUT_S = 30.0
PROXY_TIMEOUT_S_MIN, PROXY_TIMEOUT_S_MAX = 1.0, 3600.0


class SettingsError(SerinusError):
    """A flag or environment variable that cannot be used."""

    code = "settings"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for mutual TLS. All three or none."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ControlPlaneSettings:
    """Addresses as HOST:PORT. Defaults stand on loopback; beyond it every listener needs TLS or `insecure` in words.

    `proxy_timeout_s`: how long a proxy that is away or slow keeps a new cluster waiting for its first route, and an old
    one from leaving. `secrets_dir` None: the directory `secrets` in the state.
    """

    state_dir: Path
    admin: str = "127.0.0.1:7400"
    xds: str = "127.0.0.1:7401"
    http: str = "127.0.0.1:7402"
    listen: str = "127.0.0.1:8080"  # where the proxies listen for users, unless a ProxyGroup says so
    manifests: tuple[Path, ...] = ()
    tls: TlsFiles | None = None
    insecure: bool = False
    secrets_dir: Path | None = None
    proxy_timeout_s: float = PROXY_TIMEOUT_S
    tokens: Path | None = None  # of people and programs on the admin port; None: certificates alone tell who calls
    store: str | None = field(default=None, repr=False)  # postgresql://…, perhaps with a password; None: SQLite
    server_logs: Path | None = None  # below it lie the logs that manifests may name; None: none
    server_units: tuple[str, ...] = ()  # globs of the journald units that they may name
    otlp: str | None = None  # http(s)://HOST:PORT of a receiver; None: nothing is sent
    otlp_headers: Path | None = None  # a file of `NAME: VALUE` lines
    admin_asks_certificate: bool = True  # with TLS; without, only a token tells who calls

    def __post_init__(self) -> None:
        if self.store is not None and not self.store.startswith(("postgresql://", "postgres://")):
            raise SettingsError(
                "--store is no address of a PostgreSQL database",
                next_step="write postgresql://USER@HOST:PORT/DATABASE, or leave it out for SQLite in --state",
            )
        if self.otlp is not None:
            _check_otlp(self.otlp, has_headers=self.otlp_headers is not None)
        if not self.admin_asks_certificate and (self.tls is None or self.tokens is None):
            raise SettingsError(
                "--admin-tls server asks callers for no certificate: they need tokens, and TLS to send them over",
                next_step="give --tokens FILE and the --tls files too, or leave --admin-tls out",
            )
        if not PROXY_TIMEOUT_S_MIN <= self.proxy_timeout_s <= PROXY_TIMEOUT_S_MAX:
            raise SettingsError(
                f"--proxy-timeout {self.proxy_timeout_s:g} is not between {PROXY_TIMEOUT_S_MIN:g} and "
                f"{PROXY_TIMEOUT_S_MAX:g} seconds",
                next_step=f"leave it out for {PROXY_TIMEOUT_S:g}",
            )

    @property
    def secrets(self) -> Path:
        """The directory whose files manifests may name."""
        return self.secrets_dir or self.state_dir / "secrets"


def _check_otlp(url: str, *, has_headers: bool) -> None:
    """A credential must not leave this machine in the clear. Raises SettingsError."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.username
    except ValueError:
        is_whole, parts = False, urlsplit("")
    if not is_whole:
        raise SettingsError(
            "--otlp is no address of an OTLP receiver", next_step="write http://HOST:4318, without a password in it"
        )
    if has_headers and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise SettingsError(
            "--otlp-headers would go out in the clear", next_step="give --otlp https://…, or a receiver on 127.0.0.1"
        )


def tls_files(ca: Path | None, cert: Path | None, key: Path | None) -> TlsFiles | None:
    """All three or none. Raises SettingsError."""
    given = [path for path in (ca, cert, key) if path is not None]
    if not given:
        return None
    if ca is None or cert is None or key is None:
        raise SettingsError(
            "--tls-ca, --tls-cert and --tls-key belong together; one is missing",
            next_step="give all three (serinus certs init makes them), or none",
        )
    return TlsFiles(ca, cert, key)
