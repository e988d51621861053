"""Verbs that are imported late are in the help as they are, and cost the others nothing."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from controlplane.cli import late
from controlplane.cli.app import app


@pytest.mark.parametrize("verb", sorted(late.LATE))
def test_a_stand_in_says_what_the_verb_itself_begins_with(verb: str) -> None:
    said = getattr(late, verb).__doc__
    assert str(late.real(verb).help).startswith(said)
    assert f"  {verb} " in CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize("verb", sorted(late.LATE))
def test_its_help_and_its_mistakes_are_those_of_the_real_one(verb: str) -> None:
    helped = CliRunner().invoke(app, [verb, "--help"])
    assert helped.exit_code == 0
    assert f"serinus {verb}" in helped.stdout.replace("root", "serinus", 1)
    assert "--output" in helped.stdout
    assert CliRunner().invoke(app, [verb, "--nonsense"]).exit_code == 2


def test_the_other_verbs_import_neither_numpy_nor_envoys_messages() -> None:
    code = "import sys, controlplane.cli.app; print(sorted({'numpy', 'scipy', 'aiohttp', 'envoy_data_plane'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == "[]"
