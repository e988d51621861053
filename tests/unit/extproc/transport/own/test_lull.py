"""How long a connection that only tells is left alone."""

from extproc.transport.own.lull import LULL_OF_THE_YOUNG_S, LULL_S, YOUNG_S, Lulls


def test_lulls_are_short_while_a_stream_is_young() -> None:
    lulls = Lulls()
    assert lulls.next_s(100.0, has_begun=True) == LULL_OF_THE_YOUNG_S
    assert lulls.next_s(100.0 + YOUNG_S * 0.9, has_begun=False) == LULL_OF_THE_YOUNG_S
    assert lulls.next_s(100.0 + YOUNG_S, has_begun=False) == LULL_S


def test_each_stream_that_begins_makes_them_short_again() -> None:
    lulls = Lulls()
    assert lulls.next_s(100.0, has_begun=False) == LULL_S
    assert lulls.next_s(109.0, has_begun=True) == LULL_OF_THE_YOUNG_S
    assert lulls.next_s(109.2, has_begun=True) == LULL_OF_THE_YOUNG_S
    assert lulls.next_s(109.4, has_begun=False) == LULL_OF_THE_YOUNG_S


def test_a_first_token_is_told_to_within_a_tenth_of_the_time_that_it_took_or_a_short_lull() -> None:
    assert LULL_S / YOUNG_S < 0.1
