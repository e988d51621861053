"""The addresses a stack listens on: free ones for tests, and a check that the given ones can be bound.

The check is a courtesy, made before anything starts so that the error names the flag; the processes themselves still
refuse a taken port if one is lost in between.
"""

import contextlib
import socket
from collections.abc import Mapping

from controlplane.local.errors import AddressTakenError
from controlplane.security.listen import parse_listen


def free_addresses(count: int, *, host: str = "127.0.0.1") -> list[str]:
    """Distinct HOST:PORT that nobody listens on right now: all are held at once, so none comes twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((host, 0))
        return [f"{host}:{each.getsockname()[1]}" for each in sockets]


def require_free(addresses: Mapping[str, str]) -> None:
    """Every address, by its flag, can be bound, and none stands twice. Raises AddressTakenError or SettingsError."""
    seen: dict[tuple[str, int], str] = {}
    for flag, address in addresses.items():
        at = parse_listen(address, flag=flag)
        host, port = at.host, at.port
        if other := seen.get((host, port)):
            raise AddressTakenError(
                f"{other} and {flag} are both {address}", next_step=f"give {flag} an address of its own"
            )
        seen[host, port] = flag
        _bind(flag, address, host, port)


def _bind(flag: str, address: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: a port in TIME_WAIT is no obstacle, a listening one is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressTakenError(
                f"{flag} {address} cannot be bound: {error.strerror or error}",
                next_step=f"stop what listens there, or give another {flag}",
            ) from error
