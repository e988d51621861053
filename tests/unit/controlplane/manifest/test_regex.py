"""RE2: linear time, the whole text, and words for what is wrong."""

import pytest

from controlplane.manifest import regex
from extproc.cohort import regex as sidecar


def test_all_of_the_text_must_match_and_need_not_be_utf_8() -> None:
    assert regex.matches("a+", b"aaa")
    assert not regex.matches("a+", b"aab")
    assert not regex.matches(".*", b"\xff")
    assert regex.matches("é", "é".encode())


def test_a_pattern_that_ruins_a_backtracking_engine_takes_no_time() -> None:
    assert not regex.matches("(a+)+$", b"a" * 4_000 + b"b")


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"\1", "a{1001}", "*"])
def test_a_bad_pattern_is_bad_in_both_planes(pattern: str) -> None:
    assert regex.fault_of(pattern)
    with pytest.raises(sidecar.BadRegexError):
        sidecar.compiled(pattern)


def test_a_good_one_has_no_fault_and_both_planes_bound_it_alike() -> None:
    assert regex.fault_of(r".*@example\.com") == ""
    assert regex.MEMORY_BYTES_MAX == sidecar.MEMORY_BYTES_MAX
