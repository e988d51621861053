"""Many expressions in one pass give what each gives alone."""

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.cohort.regex import BadRegexError, RegexSet, compiled

PATTERNS = ["a.*", ".*b", "[0-9]+", "", "(?i)AB?", ".*é", r"\xff.", "a|b|ab", r"(?s).*\n.*", "^a$", "(a*)*b"]
_TEXTS = st.lists(st.sampled_from([b"a", b"b", b"AB", b"12", "é".encode(), b"\xff\xfe", b"\n", b""]), max_size=5)


@settings(max_examples=300)
@given(patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=8), parts=_TEXTS)
def test_a_set_agrees_with_its_expressions_one_by_one(patterns: list[str], parts: list[bytes]) -> None:
    text = b"".join(parts)
    expected = sum(compiled(pattern)(text) << place for place, pattern in enumerate(patterns))
    assert RegexSet(patterns).matching(text) == expected


def test_a_set_that_does_not_fit_is_tried_one_by_one() -> None:
    together = RegexSet(["a.*", ".*b"], memory_bytes=2_000)
    assert together._set is None, "else this shows nothing"
    assert together.matching(b"ab") == 0b11
    assert together.matching(b"c") == 0


def test_a_set_that_could_not_be_run_is_not_taken_for_one_that_found_nothing() -> None:
    """RE2 answers both alike. A set without the expression that always matches stands in for one that failed."""
    together = RegexSet(["a.*", ".*b"])
    failing = re2.Set.FullMatchSet()
    failing.Add(b"never")
    failing.Compile()
    together._set = failing
    assert together.matching(b"ab") == 0b11


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(BadRegexError):
        RegexSet(["a", "(?=b)"])
