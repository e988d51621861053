from extproc.feedback.limit import TokenBucket


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    bucket = TokenBucket(per_second=10, burst=3)
    assert [bucket.take(1_000) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1_099), bucket.take(1_100), bucket.take(1_101)] == [False, True, False]
    assert [bucket.take(60_000) for _ in range(4)] == [True, True, True, False], "never more than the burst"


def test_a_clock_that_goes_back_adds_nothing_and_takes_nothing_away() -> None:
    bucket = TokenBucket(per_second=1_000, burst=1)
    assert bucket.take(5_000)
    assert not bucket.take(1_000)
    assert bucket.take(1_001)
