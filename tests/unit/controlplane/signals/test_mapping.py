"""The table of names is data, and sound."""

from controlplane.signals.mapping import NAMES, TABLE, plain
from controlplane.signals.signal import Signal


def test_no_line_stands_twice() -> None:
    keys = [(line.signal, plain(line.name), tuple(line.labels.items())) for line in TABLE]
    assert len(keys) == len(set(keys))


def test_what_a_process_alone_can_tell_has_no_line() -> None:
    assert set(Signal) - {line.signal for line in TABLE} == {
        Signal.CONNECTIONS,
        Signal.DISK_READ,
        Signal.DISK_WRITTEN,
    }


def test_names_are_compared_without_the_colon() -> None:
    assert plain("vllm:num_requests_waiting") in NAMES
    assert "vllm:num_requests_waiting" not in NAMES
