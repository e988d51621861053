"""Weights, weight classes and arms."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.contract.arm import Arm
from serinus.contract.weight import arm_of_bucket, class_weight_bp, format_bp

_FACTORS = st.integers(1, 1_000_000).map(lambda thousandths: f"{thousandths / 1_000:.10g}")
_WEIGHTS = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("weight_bp", "weight_class", "expected_bp"),
    [
        (500, "1", 500),
        (500, "0.5", 250),
        (1, "0.5", 0),
        (10_000, "0.5", 5_000),
        (100, "3", 300),
        (3_333, "3", 9_999),
        (5_000, "3", 10_000),
        (0, "1000", 0),
        (1, "1000", 1_000),
        (100, "0.29", 29),
    ],
)
def test_a_class_is_dealt_by_its_multiple_rounded_down_and_at_most_all(
    weight_bp: int, weight_class: str, expected_bp: int
) -> None:
    assert class_weight_bp(weight_bp, weight_class) == expected_bp


@given(one=_WEIGHTS, other=_WEIGHTS, factor=_FACTORS, bucket=st.integers(0, 9_999))
def test_in_every_class_nobody_leaves_the_candidate_while_the_weight_grows(
    one: int, other: int, factor: str, bucket: int
) -> None:
    less_bp, more_bp = (class_weight_bp(each, factor) for each in sorted((one, other)))
    assert 0 <= less_bp <= more_bp <= 10_000
    if arm_of_bucket(bucket, less_bp) is Arm.CANDIDATE:
        assert arm_of_bucket(bucket, more_bp) is Arm.CANDIDATE


@given(weight_bp=_WEIGHTS, factor=_FACTORS)
def test_a_class_is_never_dealt_more_than_its_multiple(weight_bp: int, factor: str) -> None:
    exact = min(weight_bp * Fraction(factor), Fraction(10_000))
    assert 0 <= exact - class_weight_bp(weight_bp, factor) < 1


@pytest.mark.parametrize(("weight_bp", "text"), [(500, "5%"), (25, "0.25%"), (10_000, "100%"), (0, "0%")])
def test_a_weight_for_people(weight_bp: int, text: str) -> None:
    assert format_bp(weight_bp) == text
