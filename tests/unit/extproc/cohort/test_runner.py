"""List files: read once, read again when they change, and refused with their path and the reason."""

import os
from pathlib import Path

import pytest

from extproc.cohort import runner
from extproc.cohort.errors import BadFileError
from extproc.cohort.files import FileNames
from extproc.cohort.runner import FILES_MAX, PolicyFolder


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    (tmp_path / "gold").write_bytes(b"u1\nu2\n")
    folder = PolicyFolder(tmp_path, seed=1)
    assert not folder.has_changed()
    first = folder.load(FileNames(lists=frozenset({"gold"}))).lists["gold"]
    assert (b"u1" in first, b"u3" in first, first.count) == (True, False, 2)
    assert folder.load(FileNames(lists=frozenset({"gold"}))).lists["gold"] is first
    assert not folder.has_changed()
    (tmp_path / "new").write_bytes(b"u3\n")
    (tmp_path / "new").replace(tmp_path / "gold")
    assert folder.has_changed()
    assert b"u3" in folder.load(FileNames(lists=frozenset({"gold"}))).lists["gold"]


def test_a_missing_file_is_refused_and_noticed_when_it_comes(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path, seed=1)
    with pytest.raises(BadFileError, match="gold: no such file"):
        folder.load(FileNames(lists=frozenset({"gold"})))
    assert not folder.has_changed()
    (tmp_path / "gold").write_bytes(b"u1")
    assert folder.has_changed()
    assert b"u1" in folder.load(FileNames(lists=frozenset({"gold"}))).lists["gold"]


def test_a_bad_file_takes_nothing_from_the_lists_that_were_loaded(tmp_path: Path) -> None:
    (tmp_path / "gold").write_bytes(b"u1")
    folder = PolicyFolder(tmp_path, seed=1)
    gold = folder.load(FileNames(lists=frozenset({"gold"}))).lists["gold"]
    (tmp_path / "bad").write_bytes(b"x" * 5_000)
    with pytest.raises(BadFileError, match="bad: line 1 is longer than 4096 bytes"):
        folder.load(FileNames(lists=frozenset({"gold", "bad"})))
    assert folder.load(FileNames(lists=frozenset({"gold"}))).lists["gold"] is gold


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(BadFileError, match=name):
            PolicyFolder(tmp_path, seed=1).load(FileNames(lists=frozenset({name})))


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(runner.FILE_BYTES_MAX + 1)
    with pytest.raises(BadFileError, match="at most 268435456"):
        PolicyFolder(tmp_path, seed=1).load(FileNames(lists=frozenset({"huge"})))


def test_lists_are_bounded_in_number(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="17 files, at most 16"):
        PolicyFolder(tmp_path, seed=1).load(FileNames(lists=frozenset(f"l{n}" for n in range(FILES_MAX + 1))))
