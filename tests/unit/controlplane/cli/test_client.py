"""What the CLI shows of who it is: a token, and when it is not sent."""

from pathlib import Path

import pytest
import typer

from controlplane.cli.client import open_channel, token_from_environment


def test_a_token_comes_from_a_file_before_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert token_from_environment() == ""
    monkeypatch.setenv("SERINUS_TOKEN", "one\n")
    assert token_from_environment() == "one"
    (tmp_path / "token").write_text("two\n")
    monkeypatch.setenv("SERINUS_TOKEN_FILE", str(tmp_path / "token"))
    assert token_from_environment() == "two"
    monkeypatch.setenv("SERINUS_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(typer.Exit):
        token_from_environment()


def test_a_token_is_not_sent_in_clear_beyond_loopback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERINUS_TOKEN", "secret")
    with open_channel("127.0.0.1:7400"):
        pass
    with pytest.raises(typer.Exit):
        open_channel("control.example:7400")
    said = capsys.readouterr().err
    assert "is not sent to control.example:7400 in clear; next: set SERINUS_TLS_CA" in said
    assert "secret" not in said
