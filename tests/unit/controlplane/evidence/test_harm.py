import pytest

from controlplane.evidence.harm import excess_limit, limit_words


@pytest.mark.parametrize(
    ("budget_bp", "next_bp", "limit", "words"),
    [
        (500, 5000, 0.1, "excess under 10pp (harm budget 5% at 50%)"),
        (25, 10_000, 0.0025, "excess under 0.25pp (harm budget 0.25% at 100%)"),
        (25, 500, 0.05, "excess under 5pp (harm budget 0.25% at 5%)"),
        (500, 501, 500 / 501, "excess under 99.8pp (harm budget 5% at 5.01%)"),
    ],
)
def test_the_limit_is_the_budget_over_the_next_weight(budget_bp: int, next_bp: int, limit: float, words: str) -> None:
    assert excess_limit(budget_bp, next_bp) == pytest.approx(limit)
    assert limit_words(budget_bp, next_bp) == words


@pytest.mark.parametrize("next_bp", [500, 100, 0])
def test_a_weight_within_the_budget_needs_nothing_shown(next_bp: int) -> None:
    assert excess_limit(500, next_bp) is None
    assert limit_words(500, next_bp).startswith("no limit: even a wholly bad candidate stays within the harm budget 5%")


def test_the_last_step_needs_nothing_shown() -> None:
    assert excess_limit(500, None) is None
    assert limit_words(500, None) == "no limit: last step"


def test_a_margin_is_called_a_margin() -> None:
    assert limit_words(2000, 5000, is_margin=True) == "excess under 40pp (margin 20pp at 50%)"
