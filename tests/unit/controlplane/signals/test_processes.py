"""What is told of a process: of the one that these tests run in."""

import socket
from contextlib import closing

from controlplane.signals.processes import readings
from controlplane.signals.signal import Signal


def test_the_process_behind_a_port_is_found_with_what_it_uses() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):
            reading = readings([port])[port]
    assert reading[Signal.CPU_SECONDS] > 0
    assert reading[Signal.MEMORY] > 10_000_000
    assert reading[Signal.DISK_READ] >= 0
    assert reading[Signal.CONNECTIONS] >= 1


def test_a_port_where_nobody_listens_gives_no_data() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    assert readings([port]) == {}
    assert readings([]) == {}
