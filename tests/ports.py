"""Free ports; in a row for processes that count up from the first, as the sidecar's workers do.

They lie below the range from which Linux takes the ports of outgoing connections (32768 and above by default): one above
a free port of that range may be somebody's connection a moment later.
"""

import contextlib
import random
import socket

_FIRST, _LAST = 15_000, 32_000
_TRIES = 200


def free_ports(count: int) -> int:
    """The first of so many free ports of 127.0.0.1 in a row."""
    for _ in range(_TRIES):
        first = random.SystemRandom().randrange(_FIRST, _LAST - count)
        if all(_is_free(first + number) for number in range(count)):
            return first
    raise AssertionError(f"no {count} free ports in a row between {_FIRST} and {_LAST}")


def free_port() -> int:
    """One."""
    return free_ports(1)


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
