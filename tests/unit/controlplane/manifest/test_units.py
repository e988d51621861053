"""Values with units: exact, bounded, and never guessed."""

import pytest

from controlplane.manifest.units import in_time, parse_duration_ms, parse_percent_bp, parse_points_bp


@pytest.mark.parametrize(("text", "bp"), [("5%", 500), ("0.25%", 25), ("100%", 10_000), ("0%", 0), (" 1% ", 100)])
def test_percent_is_exact_basis_points(text: str, bp: int) -> None:
    assert parse_percent_bp(text) == bp


@pytest.mark.parametrize("text", ["110%", "5", 5, 0.05, "-1%", "0.001%", "5 %", "%", None, "1e2%", "NaN%"])
def test_percent_refuses_what_is_not_one(text: object) -> None:
    with pytest.raises(ValueError, match=r"percentage|100%|0\.01%"):
        parse_percent_bp(text)


def test_points_are_not_percentages() -> None:
    assert parse_points_bp("20pp") == 2000
    with pytest.raises(ValueError, match="percentage points"):
        parse_points_bp("20%")


@pytest.mark.parametrize(
    ("text", "ms"), [("30s", 30_000), ("1.5s", 1500), ("250ms", 250), ("10m", 600_000), ("24h", 86_400_000)]
)
def test_duration_is_milliseconds(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["30", 30, "30 s", "-1s", "1d", "9000h", ""])
def test_duration_refuses_what_is_not_one(text: object) -> None:
    with pytest.raises(ValueError, match=r"duration|year"):
        parse_duration_ms(text)


def test_durations_are_said_as_exactly_as_it_matters() -> None:
    assert [in_time(seconds) for seconds in (0.4, 41, 599, 720, 35_000, 40_000)] == [
        *("0 s", "41 s", "599 s"),
        *("12 min", "583 min", "11 h"),
    ]
