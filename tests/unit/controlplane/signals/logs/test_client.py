"""A file is followed through everything that rotates it, and no path leads out of the directory."""

import os
from pathlib import Path

import pytest

from controlplane.signals.logs.client import BEHIND_BYTES_MAX, PIECE_BYTES_MAX, FileTail, Piece


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "v2.log"
    path.write_bytes(b"old\n")
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_what_was_there_before_is_no_news(log: Path) -> None:
    tail = FileTail(log.parent, "v2.log")
    assert tail.read() == Piece()
    append(log, b"new\n")
    assert tail.read() == Piece(b"new\n")
    assert tail.read() == Piece()
    tail.close()


def test_a_file_that_comes_later_is_read_from_its_beginning(tmp_path: Path) -> None:
    tail = FileTail(tmp_path, "v2.log")
    assert tail.read().fault == "No such file or directory"
    (tmp_path / "v2.log").write_bytes(b"first\n")
    assert tail.read() == Piece(b"first\n")
    tail.close()


def test_a_rename_is_followed_after_the_old_file_was_read_to_its_end(log: Path) -> None:
    tail = FileTail(log.parent, "v2.log")
    tail.read()
    append(log, b"last of the old\n")
    log.rename(log.with_suffix(".log.1"))
    assert tail.read() == Piece(b"last of the old\n")
    append(log.with_suffix(".log.1"), b"written late\n")
    assert tail.read() == Piece(b"written late\n")
    assert tail.read().fault == "No such file or directory", "between the rename and the new file"
    log.write_bytes(b"first of the new\n")
    assert [tail.read().data for _ in range(2)] == [b"", b"first of the new\n"]
    tail.close()


def test_a_file_that_was_cut_in_place_is_read_from_its_beginning(log: Path) -> None:
    tail = FileTail(log.parent, "v2.log")
    append(log, b"much more than comes after the cut\n")
    tail.read()
    os.truncate(log, 0)
    append(log, b"short\n")
    assert tail.read() == Piece(b"short\n")
    tail.close()


def test_a_piece_is_bounded_and_who_is_far_behind_jumps_and_says_so(log: Path) -> None:
    tail = FileTail(log.parent, "v2.log")
    tail.read()
    append(log, b"x" * (PIECE_BYTES_MAX + 10))
    assert [len(tail.read().data) for _ in range(3)] == [PIECE_BYTES_MAX, 10, 0]
    os.truncate(log, log.stat().st_size + BEHIND_BYTES_MAX + 10)
    far = tail.read()
    assert (len(far.data), far.skipped_bytes) == (PIECE_BYTES_MAX, BEHIND_BYTES_MAX + 10 - PIECE_BYTES_MAX)
    assert tail.read() == Piece()
    tail.close()


def test_links_inside_are_followed_and_links_outside_are_not(tmp_path: Path) -> None:
    inside, outside = tmp_path / "logs", tmp_path / "secret.txt"
    inside.mkdir()
    outside.write_bytes(b"secret\n")
    (inside / "real.log").write_bytes(b"")
    (inside / "in.log").symlink_to("real.log")
    (inside / "out.log").symlink_to(outside)
    assert FileTail(inside, "out.log").read() == Piece(fault="leads out of --server-logs")
    tail = FileTail(inside, "in.log")
    tail.read()
    append(inside / "real.log", b"line\n")
    assert tail.read().data == b"line\n"
    tail.close()


def test_a_pipe_a_folder_and_a_file_that_may_not_be_read_are_faults(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert FileTail(tmp_path, "pipe").read().fault == "is no plain file"
    assert FileTail(tmp_path, "folder").read().fault == "is no plain file"
    assert FileTail(tmp_path, "loop").read().fault
    assert FileTail(tmp_path / "none", "v2.log").read().fault == "No such file or directory"
