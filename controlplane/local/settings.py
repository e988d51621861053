"""What a one-machine stack is told: where it keeps its state and which addresses its processes listen on."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from controlplane.local.addresses import free_addresses, require_free
from controlplane.security.listen import require_safe_listen
from controlplane.snapshot.mode import Mode

# Addresses that this machine listens on, by flag. Plain text all of them: TLS between processes of one machine guards
# nothing that file permissions and loopback do not.
_FLAGS = {
    "--listen": "listen",
    "--admin": "admin",
    "--xds": "xds",
    "--http": "http",
    "--sidecar-http": "sidecar_http",
    "--envoy-admin": "envoy_admin",
}


@dataclass(frozen=True)
class StackSettings:
    """Addresses as HOST:PORT. `manifests` are applied once, at the first start of the control plane.

    `secrets_dir` None: the directory `secrets` in the state.
    """

    state_dir: Path
    listen: str = "127.0.0.1:8080"
    admin: str = "127.0.0.1:7400"
    xds: str = "127.0.0.1:7401"
    http: str = "127.0.0.1:7402"
    sidecar_http: str = "127.0.0.1:7412"
    envoy_admin: str = "127.0.0.1:7420"
    manifests: tuple[Path, ...] = ()
    secrets_dir: Path | None = None
    insecure: bool = False
    node_id: str = "local"
    node_cluster: str = "default"
    xds_mode: Mode = Mode.DELTA

    @classmethod
    def ephemeral(cls, state_dir: Path, **overrides: Any) -> "StackSettings":
        """Free loopback ports for every address that `overrides` does not give: for tests and the demo."""
        names = list(_FLAGS.values())
        free: dict[str, Any] = dict(zip(names, free_addresses(len(names)), strict=True))
        return replace(cls(state_dir=state_dir), **{**free, **overrides})

    @property
    def addresses(self) -> dict[str, str]:
        """Every address, by its flag."""
        return {flag: getattr(self, name) for flag, name in _FLAGS.items()}

    def check(self) -> None:
        """Every address may be listened on and is free. Raises a SerinusError that names the flag and the address.

        Envoy's admin address can end Envoy and has no login, so `--insecure` does not open it.
        """
        for flag, address in self.addresses.items():
            allowed = self.insecure and flag != "--envoy-admin"
            require_safe_listen(address, has_tls=False, insecure=allowed, flag=flag)
        require_free(self.addresses)
