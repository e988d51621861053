"""Where a process may listen: parses HOST:PORT and refuses plain text beyond loopback unless told `--insecure`.

Pure: nothing is resolved. A name other than `localhost` therefore counts as beyond loopback, whatever it resolves to,
and so do the wildcard addresses.
"""

import ipaddress
from dataclasses import dataclass

from controlplane.security.errors import ListenAddressError, UnsafeListenError


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host (name, IPv4 or IPv6 without brackets) and a port. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback


def parse_listen(text: str, *, flag: str) -> ListenAddress:
    """`127.0.0.1:7400`, `[::1]:7400`, `localhost:0`. Raises ListenAddressError naming `flag`."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536
    if not colon or not name or not is_port or (":" in name) != bracketed or set(name) & set("[]/ \t"):
        raise ListenAddressError(
            f"{flag} {text!r} is not an address",
            next_step=f"write {flag} HOST:PORT, for example 127.0.0.1:7400 or [::1]:7400",
        )
    return ListenAddress(name, int(port))


def require_safe_listen(text: str, *, has_tls: bool, insecure: bool, flag: str) -> ListenAddress:
    """The parsed address, if a process may listen there.

    `has_tls`: this very port will speak TLS. Raises ListenAddressError, or UnsafeListenError beyond loopback in clear.
    """
    address = parse_listen(text, flag=flag)
    if not (address.is_loopback or has_tls or insecure):
        raise UnsafeListenError(
            f"{flag} {address} listens beyond loopback without TLS",
            next_step=f"give --tls-cert, --tls-key and --tls-ca (`serinus certs init` makes them), "
            f"keep {flag} on 127.0.0.1, or say --insecure",
        )
    return address
