"""`serinus access`: a token is shown once, the file has its hash, and is the control plane's to read."""

import json
import stat
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from controlplane.admin.access.client import read_tokens
from controlplane.cli.access import app
from controlplane.security.access import identify


def access(tmp_path: Path, *args: str) -> Result:
    return CliRunner().invoke(app, [*args, "--file", str(tmp_path / "tokens")])


def test_a_token_that_was_added_is_good_and_stands_in_no_file(tmp_path: Path) -> None:
    made = access(tmp_path, "add", "ann", "--role", "operator")
    token = made.stdout.strip()
    tokens = read_tokens(tmp_path / "tokens")
    assert identify(f"Bearer {token}", tokens, now_s=0).role == "operator"
    assert token.rpartition("_")[2] not in (tmp_path / "tokens").read_text()
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600
    assert "role operator, good until " in made.stderr


def test_a_name_is_taken_once_unless_it_is_replaced(tmp_path: Path) -> None:
    first = access(tmp_path, "add", "ann").stdout.strip()
    again = access(tmp_path, "add", "ann")
    assert again.exit_code == 2
    assert "has a token ann; next: --replace" in again.stderr
    second = access(tmp_path, "add", "ann", "--replace").stdout.strip()
    assert first != second
    assert len(read_tokens(tmp_path / "tokens")) == 1


def test_tokens_are_listed_without_hashes_and_removed_by_name(tmp_path: Path) -> None:
    access(tmp_path, "add", "ann")
    access(tmp_path, "add", "ci", "--role", "admin", "--ttl", "1h")
    shown = json.loads(access(tmp_path, "list", "-o", "json").stdout)
    assert [(one["name"], one["role"], sorted(one)) for one in shown] == [
        ("ann", "viewer", ["expires_s", "name", "role"]),
        ("ci", "admin", ["expires_s", "name", "role"]),
    ]
    assert access(tmp_path, "remove", "ann").exit_code == 0
    assert "ann" not in access(tmp_path, "list").stdout
    assert access(tmp_path, "remove", "ann").exit_code == 2


def test_bad_input_says_what_to_do_and_changes_nothing(tmp_path: Path) -> None:
    for args in (["add", "a b"], ["add", "ann", "--role", "king"], ["add", "ann", "--ttl", "soon"], ["list"]):
        found = access(tmp_path, *args)
        assert found.exit_code in (1, 2)
        assert found.stderr.startswith("error: ")
    assert not (tmp_path / "tokens").exists()
