from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.uplink.backoff import BASE_MS, MAX_MS, Backoff


def test_it_doubles_up_to_its_bound_and_starts_anew_after_success() -> None:
    backoff = Backoff()
    almost_one = 0.999999
    assert [backoff.wait_ms(almost_one) for _ in range(8)] == [100, 199, 399, 799, 1_599, 3_199, 4_999, 4_999]
    backoff.reset()
    assert backoff.wait_ms(almost_one) == BASE_MS


@settings(deadline=None)
@given(uniforms=st.lists(st.floats(0, 1, exclude_max=True), max_size=20))
def test_every_wait_is_within_its_bounds(uniforms: list[float]) -> None:
    backoff = Backoff()
    assert all(BASE_MS <= backoff.wait_ms(uniform) <= MAX_MS for uniform in uniforms)
