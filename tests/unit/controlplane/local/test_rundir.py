from pathlib import Path

import pytest

from controlplane.local.errors import StateInUseError
from controlplane.local.rundir import SOCKET_PATH_BYTES_MAX, prepare


def test_directories_are_private_and_the_socket_stands_in_the_run_directory(tmp_path: Path) -> None:
    run = prepare(tmp_path / "s")
    assert run.socket == tmp_path / "s" / "run" / "extproc.sock"
    assert run.notes == ()
    assert {path.stat().st_mode & 0o777 for path in (run.run, run.logs)} == {0o700}
    run.close()


def test_a_path_too_long_for_a_unix_socket_moves_to_a_short_private_directory_and_says_so(tmp_path: Path) -> None:
    run = prepare(tmp_path / ("long" * 30))
    assert len(bytes(run.socket)) < SOCKET_PATH_BYTES_MAX
    assert run.socket.parent.stat().st_mode & 0o777 == 0o700
    assert "too long for a Unix socket" in run.notes[0]
    assert str(run.socket) in run.notes[0]
    run.close()
    assert not run.socket.parent.exists()


def test_a_second_stack_on_one_state_directory_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    with pytest.raises(StateInUseError, match="another stack runs on"):
        prepare(tmp_path)
    first.close()
    prepare(tmp_path).close()
