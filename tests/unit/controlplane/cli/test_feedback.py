"""`serinus feedback`: what it refuses before it calls anybody."""

import pytest
from typer.testing import CliRunner

from controlplane.cli.app import app
from controlplane.cli.client import EXIT_USAGE

ID = "x" * 48 + ".0123456789abcdef.v2"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "nothing is said"),
        (["--score", "2"], "outside 0..1"),
        (["--score", "nan"], "no finite number"),
        (["--thumb", "sideways"], "up or down"),
        (["--label", "predicted=yes"], "needs actual"),
        (["--label", "predicted=maybe,actual=no"], "predicted is yes or no"),
        (["--label", "yes"], "--label is predicted=yes|no"),
        (["--label", "actual=no,margin=x"], "x"),
        (["--event", "Bought It"], "event is a name"),
        (["--score", "1", "--thumb", "up"], "two words for one thing"),
    ],
)
def test_what_cannot_be_said_is_refused_in_words(args: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["feedback", ID, *args])
    assert result.exit_code == EXIT_USAGE
    assert words in result.output
