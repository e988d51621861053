"""Which record of a journal is told as what, and what is told once only."""

import pytest

from controlplane.manifest.notify import Occasion
from controlplane.notify.notice import occasion_of, of_record
from controlplane.rollout.model import Observing, RollingBack
from controlplane.rollout.transition import Action
from tests.unit.controlplane.notify.samples import notice, record
from tests.unit.controlplane.rollout.facts import T0_MS, rollout


@pytest.mark.parametrize(
    ("code", "action", "actor", "occasion"),
    [
        ("applied", Action.HOLD, "ada", Occasion.STARTED),
        ("edited", Action.HOLD, "ada", Occasion.STARTED),
        ("retried", Action.HOLD, "ada", Occasion.STARTED),
        ("prepared", Action.ADVANCE, "", Occasion.STEP),
        ("good_enough", Action.ADVANCE, "", Occasion.STEP),
        ("skip_analysis", Action.ADVANCE, "ada", Occasion.STEP),
        ("bake_started", Action.HOLD, "", Occasion.STEP),
        ("promoted", Action.ADVANCE, "", Occasion.PROMOTED),
        ("paused", Action.HOLD, "ada", Occasion.PAUSED),
        ("resumed", Action.HOLD, "ada", Occasion.RESUMED),
        ("dry_run_worse", Action.HOLD, "", Occasion.DRY_RUN),
        ("worse", Action.ROLLBACK, "", Occasion.ROLLED_BACK),
        ("deadline", Action.ROLLBACK, "", Occasion.ROLLED_BACK),
        ("aborted", Action.ROLLBACK, "ada", Occasion.ABORTED),
        # The end of what was told when it was decided.
        ("rolled_back", Action.ROLLBACK, "", None),
        ("aborted", Action.ROLLBACK, "", None),
        ("step_started", Action.HOLD, "", None),
        ("approved", Action.HOLD, "ada", None),
    ],
)
def test_what_moves_a_rollout_is_an_occasion_or_none(
    code: str, action: Action, actor: str, occasion: Occasion | None
) -> None:
    assert occasion_of(record(3, code, moved=True, action=action, actor=actor)) is occasion


@pytest.mark.parametrize("code", ["no_proxy", "deadline", "paused", "thin_evidence", "approval"])
def test_a_hold_is_never_told_by_its_record_alone(code: str) -> None:
    assert occasion_of(record(3, code)) is None


def test_a_notice_says_how_things_stood_at_its_record() -> None:
    back = RollingBack(reason="worse", aborted=False, since_ms=T0_MS)
    told = of_record(
        rollout(Observing(1, T0_MS)),
        record(9, "worse", moved=True, action=Action.ROLLBACK, phase=back, after_s=1.5, text="errors: worse"),
        Occasion.ROLLED_BACK,
    )
    assert told == notice(9, phase="rolling_back", text="errors: worse", at_ms=T0_MS + 1_500)
    assert (told.title, told.weight, told.time) == ("chat-v2 is rolled back", "0%", "2023-11-14T22:13:21.500Z")


def test_a_step_that_is_none_of_an_edited_plan_has_no_weight_rather_than_a_wrong_one() -> None:
    told = of_record(rollout(), record(4, "good_enough", moved=True, phase=Observing(7, T0_MS)), Occasion.STEP)
    assert (told.weight_bp, told.weight) == (None, "unknown")
