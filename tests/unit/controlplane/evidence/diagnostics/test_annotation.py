import dataclasses

import pytest

from controlplane.evidence.diagnostics.annotation import Annotation, Cause, Effect, ranked
from controlplane.evidence.diagnostics.errors import SettingError
from controlplane.evidence.verdict import Verdict


def annotation(strength: float, effect: Effect = Effect.NOTE, method: str = "psi") -> Annotation:
    return Annotation(method, "errors", Cause.UNUSUAL, effect, strength, "a sentence")


def test_an_annotation_has_no_word_for_a_rollback_and_no_verdict() -> None:
    """They annotate, rank causes and may hold; they never roll back: the type has no value for it."""
    assert {effect.value for effect in Effect} == {"note", "hold"}
    assert not {effect.value for effect in Effect} & {verdict.value for verdict in Verdict}
    fields = {field.name: field.type for field in dataclasses.fields(Annotation)}
    assert set(fields) == {"method", "subject", "cause", "effect", "strength", "sentence"}
    assert fields["effect"] is Effect
    assert Verdict not in fields.values()


def test_holds_come_first_then_the_strongest_then_by_name() -> None:
    weak, strong = annotation(1.0), annotation(9.0)
    hold, same = annotation(0.1, Effect.HOLD), annotation(1.0, method="abc")
    assert ranked([weak, strong, hold, same]) == (hold, strong, same, weak)


@pytest.mark.parametrize("strength", [-0.1, float("nan")])
def test_a_strength_is_a_number_and_not_negative(strength: float) -> None:
    with pytest.raises(SettingError):
        annotation(strength)
