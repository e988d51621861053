"""Lists of ids: what is in is in, and what is wrong is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.cohort.idlist import BadListError, read
from serinus.contract.request import KEY_BYTES_MAX


@given(
    ids=st.sets(st.binary(min_size=1, max_size=12).map(bytes.strip).filter(bool)),
    others=st.sets(st.binary(max_size=12)),
)
def test_exactly_the_ids_of_the_list_are_in_it(ids: set[bytes], others: set[bytes]) -> None:
    ids = {each for each in ids if b"\n" not in each}
    found = read([each + b"\n" for each in ids], seed=3)
    assert found.count == len(ids)
    assert all(each in found for each in ids)
    assert not any(each in found for each in others - ids)


def test_blanks_and_empty_lines_are_no_ids_and_an_id_counts_once() -> None:
    found = read([b" u1\r\n", b"\n", b"  \n", b"u1\n", b"u2"], seed=0)
    assert found.count == 2
    assert b"u1" in found
    assert b"" not in found


def test_a_list_or_an_id_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadListError, match="more than 2 ids"):
        read([b"a", b"b", b"c"], seed=0, ids_max=2)
    with pytest.raises(BadListError, match="line 2 is longer than 4096 bytes"):
        read([b"a", b"b" * (KEY_BYTES_MAX + 1)], seed=0)
