"""Only files of the directory are read, only small ones, and no error repeats what is in them."""

import os
import socket
from pathlib import Path

import pytest

from controlplane.security.errors import SecretReadError
from controlplane.security.secrets.client import FILE_BYTES_MAX, read_secret_file

SECRET = b"sk-do-not-print"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    inside = tmp_path / "secrets"
    (inside / "chat").mkdir(parents=True)
    (inside / "chat/key").write_bytes(SECRET)
    (tmp_path / "outside").write_bytes(SECRET)
    return inside


def test_a_file_of_the_directory_is_read(directory: Path) -> None:
    assert read_secret_file(directory, "chat/key") == SECRET


def test_links_inside_of_the_directory_are_followed_as_kubernetes_makes_them(directory: Path) -> None:
    (directory / "..2026").mkdir()
    (directory / "..2026/token").write_bytes(b"one")
    (directory / "..data").symlink_to("..2026")
    (directory / "token").symlink_to("..data/token")
    assert read_secret_file(directory, "token") == b"one"


def _link_out(directory: Path) -> str:
    (directory / "link").symlink_to(directory.parent / "outside")
    return "link"


def _folder_that_links_out(directory: Path) -> str:
    (directory / "up").symlink_to("..")
    return "up/outside"


def _loop(directory: Path) -> str:
    (directory / "loop").symlink_to("loop")
    return "loop"


def _pipe(directory: Path) -> str:
    os.mkfifo(directory / "pipe")
    return "pipe"


def _socket(directory: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "socket"))
    return "socket"


def _too_large(directory: Path) -> str:
    (directory / "large").write_bytes(SECRET * FILE_BYTES_MAX)
    return "large"


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (_link_out, "leads out of"),
        (_folder_that_links_out, "leads out of"),
        (lambda _: "../outside", "leads out of"),
        (lambda directory: str(directory.parent / "outside"), "leads out of"),
        (_loop, "cannot be read"),
        (_pipe, "is no file"),
        (_socket, "cannot be read: No such device"),
        (lambda _: "chat", "is no file"),
        (lambda _: "nothing", "No such file"),
        (lambda _: "a\0b", "cannot be read: not a path"),
        (_too_large, f"larger than {FILE_BYTES_MAX} bytes"),
    ],
)
def test_what_is_no_small_file_of_the_directory_is_refused(directory: Path, make: object, part: str) -> None:
    name = make(directory)  # type: ignore[operator]
    with pytest.raises(SecretReadError, match=part) as caught:
        read_secret_file(directory, name)
    assert SECRET.decode() not in str(caught.value)
    assert caught.value.next_step


def test_a_file_of_the_largest_size_is_read(directory: Path) -> None:
    (directory / "large").write_bytes(b"x" * FILE_BYTES_MAX)
    assert len(read_secret_file(directory, "large")) == FILE_BYTES_MAX


def test_the_message_says_which_file_why_and_what_to_do(directory: Path) -> None:
    with pytest.raises(SecretReadError) as caught:
        read_secret_file(directory, "nothing")
    assert str(caught.value) == (
        f"secret file nothing in {directory} cannot be read: No such file or directory; "
        "next: check --secrets, the file's name and who may read it"
    )


def test_a_directory_that_is_not_there_makes_every_file_unreadable(tmp_path: Path) -> None:
    with pytest.raises(SecretReadError, match="cannot be read"):
        read_secret_file(tmp_path / "none", "a")
