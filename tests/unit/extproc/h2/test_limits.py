"""Every limit is documented with the value it has."""

import re
from dataclasses import fields
from pathlib import Path

from extproc.h2.limits import DEFAULT, Limits

DOC = Path(__file__).parents[4] / "docs" / "architecture.md"
ROW = re.compile(r"^\| (`[^|]+`) \| ([0-9][^|]*) \|", re.MULTILINE)


def documented() -> dict[str, int]:
    found = {}
    for names, values in ROW.findall(DOC.read_text()):
        numbers = [int(value.replace(",", "")) for value in values.split(", ")]
        found.update(zip(re.findall(r"`(\w+)`", names), numbers, strict=True))
    return found


def test_the_table_of_limits_is_complete_and_right() -> None:
    assert documented() == {each.name: getattr(DEFAULT, each.name) for each in fields(Limits)}
