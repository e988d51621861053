"""The control plane's settings: frozen, parsed once, all faults reported at once by the shells that build them."""

from dataclasses import dataclass
from pathlib import Path

from controlplane.errors import SerinusError


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
    """Addresses as HOST:PORT. Defaults stand on loopback; beyond it every listener needs TLS or `insecure` in words."""

    state_dir: Path
    admin: str = "127.0.0.1:7400"
    xds: str = "127.0.0.1:7401"
    http: str = "127.0.0.1:7402"
    listen: str = "127.0.0.1:8080"  # where the proxies listen for users
    manifests: tuple[Path, ...] = ()
    tls: TlsFiles | None = None
    insecure: bool = False


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
