"""Text that would make a reader of YAML work without end, or keep what it read: refused at once, with the line."""

import gc

import pytest

from controlplane.manifest.document import BRACKETS_MAX, parse
from controlplane.manifest.errors import ManifestError


@pytest.mark.parametrize("text", ["x: " + "[" * 5_000, "[" * 5_000 + "]" * 5_000, "{a: " * 3_000 + "1" + "}" * 3_000])
def test_brackets_within_brackets_are_bounded(text: str) -> None:
    """5,000 of them took the scanner 5 seconds; within the bound it is done before the first is closed."""
    with pytest.raises(ManifestError, match=f"x.yaml:1: not valid YAML: more than {BRACKETS_MAX} brackets open"):
        parse("x.yaml", text)


def test_brackets_within_the_bound_and_in_text_are_read() -> None:
    (document,) = parse("x.yaml", f"a: {'[' * BRACKETS_MAX}{']' * BRACKETS_MAX}\nb: '{'[' * 5_000}'\n")
    assert document.data["b"] == "[" * 5_000


def test_a_fault_keeps_neither_the_frames_nor_the_text_of_what_was_read() -> None:
    with pytest.raises(ManifestError, match="maximum recursion depth exceeded") as caught:
        parse("x.yaml", "\n".join(" " * depth + "a:" for depth in range(2_000)))
    assert caught.value.__context__ is None


def test_what_was_read_needs_no_collector_to_go() -> None:
    text = "a: 1\nb: [1, 2]\n"
    parse("x.yaml", text)
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            parse("x.yaml", text)
        assert gc.collect() <= 50 * 10  # ruamel's own: a few small ones each, none with the text
    finally:
        gc.enable()
