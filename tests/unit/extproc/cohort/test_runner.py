"""List files: read once, read again when they change, and refused with their path and the reason."""

import os
from pathlib import Path

import pytest

from extproc.cohort import runner
from extproc.cohort.errors import BadFileError
from extproc.cohort.files import FileNames
from extproc.cohort.runner import FILES_MAX, PolicyFolder
from tests.unit.extproc.cohort.mmdb_file import WORLD, written


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


def test_places_and_keys_are_read_again_when_their_files_change(tmp_path: Path) -> None:
    names = FileNames(places=frozenset({"geo.mmdb"}), keys=frozenset({"testers.key"}))
    (tmp_path / "geo.mmdb").write_bytes(written(WORLD))
    (tmp_path / "testers.key").write_bytes(b"k" * 32)
    folder = PolicyFolder(tmp_path, seed=1)
    first = folder.load(names)
    assert first.places["geo.mmdb"].count == 4
    assert first.keys == {"testers.key": (b"k" * 32,)}
    (tmp_path / "new").write_bytes(b"n" * 40 + b"\n" + b"k" * 32)
    (tmp_path / "new").replace(tmp_path / "testers.key")
    assert folder.has_changed()
    again = folder.load(names)
    assert again.keys == {"testers.key": (b"n" * 40, b"k" * 32)}
    assert again.places["geo.mmdb"] is first.places["geo.mmdb"]


def test_broken_places_and_bad_keys_are_refused_with_their_path(tmp_path: Path) -> None:
    (tmp_path / "geo.mmdb").write_bytes(written(WORLD)[:500])
    (tmp_path / "testers.key").write_bytes(b"short")
    (tmp_path / "long.key").write_bytes(b"k" * 9_000)
    folder = PolicyFolder(tmp_path, seed=1)
    with pytest.raises(BadFileError, match=r"geo\.mmdb: no file of MaxMind's DB format"):
        folder.load(FileNames(places=frozenset({"geo.mmdb"})))
    with pytest.raises(BadFileError, match=r"testers\.key: key 1 has 5 bytes.*openssl rand"):
        folder.load(FileNames(keys=frozenset({"testers.key"})))
    with pytest.raises(BadFileError, match=r"long\.key: 9000 bytes, at most 8192"):
        folder.load(FileNames(keys=frozenset({"long.key"})))
    with pytest.raises(BadFileError, match=r"none\.mmdb: no such file"):
        folder.load(FileNames(places=frozenset({"none.mmdb"})))
