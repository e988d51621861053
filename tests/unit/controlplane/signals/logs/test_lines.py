"""Bytes become lines whatever their pieces, and lines counts by pattern."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.signals.logs.lines import LINE_BYTES_MAX, Lines, Matcher

PATTERNS = (("cuda", r"(?i)cuda error"), ("oom", "out of memory"), ("traceback", "^Traceback"))


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_lines_do_not_depend_on_where_the_pieces_end(text: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    lines = Lines()
    found = [line for a, b in itertools.pairwise(places) for line in lines.feed(text[a:b])]
    assert found == text.split(b"\n")[:-1]


@pytest.mark.parametrize("piece_size", [1, 1_000, LINE_BYTES_MAX, 100_000])
def test_of_a_long_line_the_beginning_is_kept_and_the_next_is_whole(piece_size: int) -> None:
    text = b"a" * (3 * LINE_BYTES_MAX) + b"\nnext\n"
    lines = Lines()
    found = [line for at in range(0, len(text), piece_size) for line in lines.feed(text[at : at + piece_size])]
    assert found == [b"a" * LINE_BYTES_MAX, b"next"]


def test_a_line_counts_for_each_pattern_that_is_found_in_it() -> None:
    lines = [
        b"E CUDA Error: out of memory",
        b"out of memory",
        b" Traceback",
        b"Traceback (most recent call last):",
        b"",
    ]
    assert Matcher(PATTERNS).counts(lines) == {"cuda": 1, "oom": 2, "traceback": 1}
    assert Matcher(PATTERNS).counts([]) == {}


def test_bytes_that_are_no_text_hide_nothing_and_text_beyond_ascii_is_found() -> None:
    matcher = Matcher((("oom", "out of memory"), ("память", "нет памяти")))
    assert matcher.counts([b"\xff\xfe out of memory \x00", "ошибка: нет памяти".encode()]) == {"oom": 1, "память": 1}


def test_a_pattern_that_would_never_end_elsewhere_is_linear() -> None:
    assert Matcher((("slow", "(a*)*(a*)*b"),)).counts([b"a" * LINE_BYTES_MAX] * 20) == {}
