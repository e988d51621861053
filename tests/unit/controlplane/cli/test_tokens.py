"""`serinus token`: what it prints is what a sidecar takes, and a wrong order prints none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controlplane.cli.app import app
from serinus.contract.token import claims_of

KEYS = b"0123456789abcdef0123456789abcdef\nanother-key-that-is-being-phased-out\n"


def minted(key_file: Path, *args: str) -> Result:
    order = ["token", "--service", "chat", "--version", "v2", "--key-file", str(key_file), *args]
    return CliRunner().invoke(app, order)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "testers.key"
    path.write_bytes(KEYS)
    return path


def test_it_prints_a_token_signed_by_the_first_key_and_says_how_to_send_it(key_file: Path) -> None:
    result = minted(key_file, "--ttl", "2h", "--subject", "ada")
    assert result.exit_code == 0
    claims = claims_of([KEYS.splitlines()[0]], result.stdout.strip().encode())
    assert claims is not None
    assert (claims.service, claims.version, claims.subject) == ("chat", "v2", "ada")
    assert claims.expires_s - claims.issued_s == 7_200
    assert "serinus-token; valid for 2h" in result.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--ttl", "soon"], "--ttl: 'soon' is not a duration"),
        (["--ttl", "721h"], "must be 1 to 2592000"),
        (["--ttl", "10ms"], "a life of 0 s"),
        (["--subject", "x" * 900], "shorten the subject"),
    ],
)
def test_a_wrong_order_is_a_usage_error(key_file: Path, args: list[str], says: str) -> None:
    result = minted(key_file, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


@pytest.mark.parametrize(("keys", "says"), [(b"short\n", "key 1 has 5 bytes"), (b"\n", "0 keys, must be 1 to 4")])
def test_a_file_without_good_keys_is_refused(key_file: Path, keys: bytes, says: str) -> None:
    key_file.write_bytes(keys)
    result = minted(key_file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_a_missing_key_file_is_named_with_the_next_step(tmp_path: Path) -> None:
    result = minted(tmp_path / "none")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No such file or directory; next: `openssl rand -hex 32 >" in result.stderr
