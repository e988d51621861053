"""Which answers are rated, and what an evaluator may say."""

import pytest

from extproc.outcome.rated import is_drawn, score_of


def test_the_draw_is_of_the_id_alone_and_keeps_to_its_share() -> None:
    ids = [f"request-{number}" for number in range(4_000)]
    drawn = {share_bp: {each for each in ids if is_drawn(each, share_bp)} for share_bp in (0, 500, 2_000, 10_000)}
    assert (len(drawn[0]), len(drawn[10_000])) == (0, len(ids))
    assert 150 <= len(drawn[500]) <= 250
    assert drawn[500] < drawn[2_000]


@pytest.mark.parametrize(
    ("said", "score"), [(0, 0.0), (1, 1.0), (0.25, 0.25), ({"score": 0.5, "why": "x"}, 0.5), (None, None), ({}, None)]
)
def test_a_score_is_a_number_from_0_to_1_or_none(said: object, score: float | None) -> None:
    assert score_of(said) == score


@pytest.mark.parametrize("said", [True, "0.5", -0.1, 1.1, float("nan"), float("inf"), [], {"score": "high"}])
def test_anything_else_is_no_score(said: object) -> None:
    with pytest.raises(ValueError, match=r"score|evaluator"):
        score_of(said)
