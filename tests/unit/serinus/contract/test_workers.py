import pytest

from serinus.contract.workers import WORKERS_MAX, worker_sockets


def test_one_worker_has_the_socket_and_of_several_each_its_own() -> None:
    assert worker_sockets("/run/s.sock", 1) == ("/run/s.sock",)
    assert worker_sockets("/run/s.sock", 3) == ("/run/s.sock.0", "/run/s.sock.1", "/run/s.sock.2")


@pytest.mark.parametrize("workers", [-1, 0, WORKERS_MAX + 1])
def test_their_number_is_bounded(workers: int) -> None:
    with pytest.raises(ValueError, match="next: 1 to 32"):
        worker_sockets("/run/s.sock", workers)
