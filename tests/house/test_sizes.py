"""A file has at most 300 lines and a function at most 50. What is longer is recorded, and the record only shrinks."""

import json

from tests.house import sizes, tree

RECORD = json.loads((tree.ROOT / "tests/house/exceptions.json").read_text(encoding="utf-8"))


def test_no_file_is_longer_than_300_lines() -> None:
    found = {tree.name_of(path): sizes.file_lines(path.read_text(encoding="utf-8")) for path in tree.python_files()}
    faults = sizes.ratchet(found, RECORD["files"], limit=sizes.FILE_LINES_MAX, fix="split it by what changes together")
    assert not faults, "\n".join(faults)


def test_no_function_is_longer_than_50_lines() -> None:
    found = {
        f"{tree.name_of(path)}::{name}": lines
        for path in tree.python_files()
        for name, lines in sizes.function_lines(path.read_text(encoding="utf-8"))
    }
    fix = "take a part out that has a name of its own"
    faults = sizes.ratchet(found, RECORD["functions"], limit=sizes.FUNCTION_LINES_MAX, fix=fix)
    assert not faults, "\n".join(faults)


def test_the_ratchet_refuses_what_is_new_or_grew_and_asks_to_record_what_shrank() -> None:
    recorded = {"grew": 60, "shrank": 60, "fixed": 60, "gone": 60, "same": 60}
    found = {"new": 51, "short": 50, "grew": 61, "shrank": 59, "fixed": 50, "same": 60}
    assert sizes.ratchet(found, recorded, limit=50, fix="split it") == [
        "grew has 61 lines, allowed are 60; next: split it",
        "new has 51 lines, allowed are 50; next: split it",
        "fixed is within 50 lines now; next: remove it from tests/house/exceptions.json",
        "gone is within 50 lines now; next: remove it from tests/house/exceptions.json",
        "shrank shrank to 59 lines; next: record 59 in tests/house/exceptions.json",
    ]


def test_nested_and_async_functions_are_measured_from_def_to_their_end() -> None:
    source = "@decorated\nclass A:\n    async def b(self):\n        def c():\n            return 1\n        return c\n"
    assert list(sizes.function_lines(source)) == [("A.b", 4), ("A.b.c", 2)]
