from extproc.h2.windows import is_beyond


def test_a_window_ends_at_2_31() -> None:
    assert [is_beyond(window) for window in (-5, 2**31 - 1, 2**31)] == [False, False, True]
