"""Free ports; in a row for processes that count up from the first, as the sidecar's workers do.

They lie below the range from which Linux takes the ports of outgoing connections (32768 and above by default): one above
a free port of that range may be somebody's connection a moment later. Test processes that run side by side take theirs
from blocks of their own, and none gives the same port out twice before its block is used up: between the look and the
use of a port lies up to a second, in which with ports by lot two of a whole run's thousands did meet.
"""

import contextlib
import itertools
import os
import random
import socket

_FIRST, _LAST = 15_000, 32_000
# More than pytest has workers here; a process without a number takes the last block.
_BLOCKS = 8
_SIZE = (_LAST - _FIRST) // _BLOCKS
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
_BLOCK = int(_WORKER) % (_BLOCKS - 1) if _WORKER.isdecimal() else _BLOCKS - 1
_START = random.SystemRandom().randrange(_SIZE)
_places = itertools.cycle([*range(_START, _SIZE), *range(_START)])


def free_ports(count: int) -> int:
    """The first of so many free ports of 127.0.0.1 in a row."""
    for _ in range(_SIZE):
        place, *_rest = itertools.islice(_places, count)
        first = _FIRST + _BLOCK * _SIZE + place
        if place + count <= _SIZE and all(_is_free(first + number) for number in range(count)):
            return first
    raise AssertionError(f"no {count} free ports in a row among the {_SIZE} from {_FIRST + _BLOCK * _SIZE} on")


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
