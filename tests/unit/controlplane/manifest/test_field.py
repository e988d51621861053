"""What a field refuses, and in which words."""

from enum import StrEnum

import pytest
from pydantic import ValidationError

from controlplane.manifest.field import Spec, TimerMs, choice


class Colour(StrEnum):
    RED = "red"


class Holder(Spec):
    timer_ms: TimerMs


def test_a_value_that_is_planned_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'blue' is not built yet in this version; use one of red"):
        choice(Colour, "blue", {"blue"})


@pytest.mark.parametrize("value", ["green", 1, None])
def test_a_value_that_nobody_knows_is_told_what_is_known(value: object) -> None:
    with pytest.raises(ValueError, match="is none of red"):
        choice(Colour, value)


def test_a_timer_of_no_time_is_refused() -> None:
    """Envoy refuses it, and would take down the whole cluster with it."""
    assert Holder.model_validate({"timer_ms": "1ms"}).timer_ms == 1
    with pytest.raises(ValidationError, match="must be longer than 0s"):
        Holder.model_validate({"timer_ms": "0s"})
