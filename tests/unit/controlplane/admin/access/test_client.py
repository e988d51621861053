"""The file of tokens: read anew when it changed, and no good means that nobody gets in by it."""

import os
from pathlib import Path

import pytest

from controlplane.admin.access.client import TokenFile
from controlplane.security.access import Token, render
from controlplane.security.errors import TokenFileError

ANN, BOB = (Token(name, "viewer", "0" * 64, 1) for name in ("ann", "bob"))


def write(path: Path, text: str, *, mode: int = 0o600) -> Path:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    os.replace(fresh, path)
    return path


def test_a_token_that_is_added_or_removed_counts_at_the_next_call(tmp_path: Path) -> None:
    path = write(tmp_path / "tokens", render([ANN]))
    file = TokenFile(path)
    assert file.tokens() == (ANN,)
    write(path, render([ANN, BOB]))
    assert file.tokens() == (ANN, BOB)
    write(path, render([BOB]))
    assert file.tokens() == (BOB,)


@pytest.mark.parametrize("text", ["nonsense\n", "ann king x 1\n", "x" * 300_000])
def test_a_file_that_has_become_no_good_lets_nobody_in_until_it_is_mended(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "tokens", render([ANN]))
    file = TokenFile(path)
    write(path, text)
    assert file.tokens() == ()
    write(path, render([ANN]))
    assert file.tokens() == (ANN,)
    path.unlink()
    assert file.tokens() == ()


def test_a_file_that_others_can_write_or_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match="chmod 600"):
        TokenFile(write(tmp_path / "open", render([ANN]), mode=0o622))
    with pytest.raises(TokenFileError, match="serinus access add"):
        TokenFile(tmp_path / "missing")
