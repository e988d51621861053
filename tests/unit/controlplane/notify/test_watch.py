"""What lasts is told once, and once when it is over: holds, a wait for a person, drift."""

from collections.abc import Iterable

from controlplane.notify.notice import Notice
from controlplane.notify.watch import HOLD_AFTER_MS, ROLLED_BACK_MS, TOLD_MAX, RolloutWatch
from controlplane.rollout.model import Observing, Phase, RolledBack, RollingBack
from controlplane.rollout.transition import Action, Decision
from controlplane.store.port import Record
from tests.unit.controlplane.notify.samples import record
from tests.unit.controlplane.rollout.facts import T0_MS, rollout

ROLLOUT = rollout(Observing(0, T0_MS))


def take(watch: RolloutWatch, *records: Record, is_new: bool = True) -> list[str]:
    return events(watch.take(ROLLOUT, records, lambda _: is_new))


def look(watch: RolloutWatch, after_s: float, code: str = "", drift: dict[str, str] | None = None) -> list[str]:
    decision = Decision(Action.HOLD, code, f"because of {code}") if code else None
    return events(watch.look(ROLLOUT, T0_MS + round(after_s * 1000), decision, drift))


def standing(watch: RolloutWatch, phase: Phase | None = None, after_ms: int = 0) -> list[str]:
    return events(watch.standing(rollout(phase or Observing(0, T0_MS)), T0_MS + after_ms))


def events(notices: Iterable[Notice]) -> list[str]:
    return [each.event for each in notices]


def test_a_hold_is_told_once_it_has_lasted_and_again_when_it_is_over() -> None:
    watch = RolloutWatch()
    assert take(watch, record(1, "no_proxy")) == []
    assert look(watch, 29.9) == []
    assert look(watch, 30.0) == ["hold"]
    assert look(watch, 3_000.0) == []
    assert standing(watch) == ["hold"]
    (over,) = watch.take(ROLLOUT, [record(2, "min_step", after_s=3_000)], lambda _: True)
    assert (over.event, over.id, over.at_ms) == ("hold_ended", "chat-v2/1/hold_ended", T0_MS + 3_000_000)
    assert over.text == "no_proxy is over (because of min_step)"
    assert standing(watch) == []


def test_a_hold_that_passes_soon_is_nobodys_news() -> None:
    watch = RolloutWatch()
    assert take(watch, record(1, "sidecar_silent"), record(2, "thin_evidence", after_s=10)) == []
    assert look(watch, 100) == []


def test_reasons_that_change_are_one_hold_which_tells_the_newest() -> None:
    watch = RolloutWatch()
    take(watch, *(record(n, ("no_proxy", "sidecar_silent")[n % 2], after_s=n) for n in range(1, 40)))
    (told,) = watch.look(ROLLOUT, T0_MS + 40_000, None)
    assert (told.id, told.reason, told.at_ms) == ("chat-v2/1/hold", "sidecar_silent", T0_MS + 1_000)
    assert look(watch, 80) == []


def test_a_move_ends_a_hold() -> None:
    watch = RolloutWatch()
    take(watch, record(1, "candidate_unhealthy"))
    assert look(watch, 60) == ["hold"]
    assert take(watch, record(2, "paused", moved=True, actor="ada")) == ["hold_ended", "paused"]


def test_what_waits_for_its_time_or_for_evidence_is_no_hold() -> None:
    watch = RolloutWatch()
    for serial, code in enumerate(("min_step", "thin_evidence", "warm_up", "bake", "frozen", "paused", "queued"), 1):
        take(watch, record(serial, code))
        assert look(watch, 7_200) == [], code


def test_a_wait_for_a_person_is_told_at_once_and_once_while_the_rollout_stands() -> None:
    watch = RolloutWatch()
    take(watch, record(1, "approval", revision=7))
    assert look(watch, 0) == ["approval"]
    take(watch, record(2, "no_proxy", revision=7), record(3, "approval", revision=7))
    assert look(watch, 1) == []
    assert standing(watch) == ["approval"]
    take(watch, record(4, "approved", moved=True, revision=8), record(5, "good_enough", moved=True, revision=9))
    assert standing(watch) == []
    take(watch, record(6, "approval", revision=9))
    assert look(watch, 2) == ["approval"], "of another step"


def test_drift_is_told_once_for_each_subject_and_stands() -> None:
    watch = RolloutWatch()
    assert look(watch, 0, drift={"lang": "unlike requests"}) == ["drift"]
    assert look(watch, 1, drift={"lang": "unlike requests", "finish_reason": "unlike answers"}) == ["drift"]
    assert look(watch, 2) == []
    assert standing(watch) == ["drift", "drift"]


def test_what_the_journal_cannot_hold_is_a_hold_too() -> None:
    watch = RolloutWatch()
    take(watch, record(1, "step_started", moved=True))
    assert look(watch, 0, "store") == []
    assert look(watch, 30, "store") == ["hold"]
    assert take(watch, record(2, "thin_evidence", after_s=60)) == ["hold_ended"]


def test_after_a_restart_nothing_that_was_told_is_told_again_but_it_still_stands() -> None:
    before = RolloutWatch()
    records = [record(1, "no_proxy"), record(2, "no_proxy", after_s=10)]
    take(before, *records)
    assert look(before, 30, drift={"lang": "x"}) == ["drift", "hold"]
    after = RolloutWatch(before.told)
    assert take(after, *records, is_new=False) == []
    assert look(after, 90, drift={"lang": "x"}) == []
    assert standing(after) == ["drift", "hold"]
    assert take(after, record(3, "min_step", after_s=99)) == ["hold_ended"]


def test_a_record_is_taken_once() -> None:
    watch = RolloutWatch()
    promoted = record(5, "promoted", moved=True, action=Action.ADVANCE)
    assert take(watch, promoted) == ["promoted"]
    assert take(watch, promoted) == []


def test_a_rollback_stands_for_an_hour_after_its_end_and_an_abort_not_at_all() -> None:
    watch = RolloutWatch()
    assert standing(watch, RollingBack("worse", aborted=False, since_ms=T0_MS)) == ["rolled_back"]
    assert standing(watch, RolledBack("worse", T0_MS), ROLLED_BACK_MS - 1) == ["rolled_back"]
    assert standing(watch, RolledBack("worse", T0_MS), ROLLED_BACK_MS) == []
    assert standing(watch, RollingBack("aborted by ada", aborted=True, since_ms=T0_MS)) == []


def test_a_rollout_that_flaps_without_end_keeps_few_ids() -> None:
    watch = RolloutWatch()
    look(watch, 0, drift={"lang": "x"})
    for n in range(2 * TOLD_MAX):
        at_s = n * 2 * HOLD_AFTER_MS / 1000
        take(watch, record(2 * n + 1, "no_proxy", after_s=at_s))
        assert look(watch, at_s + 30) == ["hold"]
        take(watch, record(2 * n + 2, "min_step", after_s=at_s + 31))
    assert len(watch._told) == TOLD_MAX + 1
    assert watch.told == (f"chat-v2/{T0_MS}/drift/lang",), "what still stands is kept, what is over is not"
