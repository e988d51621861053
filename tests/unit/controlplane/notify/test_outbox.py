"""Order, bounds and pauses of what one receiver is still to be told."""

import pytest

from controlplane.engine.hooks.calls import HookReply
from controlplane.notify.outbox import AGE_MS_MAX, BACKOFF_S_MAX, KNOWN_MAX, WAITING_MAX, Outbox, backoff_s, is_refused
from tests.unit.controlplane.notify.samples import notice
from tests.unit.controlplane.rollout.facts import T0_MS


def test_notices_go_in_their_order_and_each_once() -> None:
    box = Outbox()
    for serial in (1, 2, 1, 3, 2):
        assert box.put(notice(serial)) is None
    gone = []
    while box.first is not None:
        gone.append(box.first.serial)
        box.done()
    assert gone == [1, 2, 3]
    box.put(notice(2))
    assert box.first is None, "nor when it comes again after it was told"


def test_a_full_box_loses_the_oldest_but_never_the_one_under_way() -> None:
    box = Outbox()
    dropped = [box.put(notice(serial)) for serial in range(1, WAITING_MAX + 3)]
    assert [each.serial for each in dropped if each is not None] == [2, 3]
    assert [each.serial for each in box.waiting] == [1, *range(4, WAITING_MAX + 3)]


def test_what_is_known_is_bounded() -> None:
    box = Outbox()
    for serial in range(3 * KNOWN_MAX):
        box.put(notice(serial))
        box.done()
    assert len(box._known) == KNOWN_MAX


def test_pauses_double_up_to_five_minutes_and_jitter_halves_them_at_most() -> None:
    assert [backoff_s(call) for call in (1, 2, 3, 9, 10, 5_000)] == [1.0, 2.0, 4.0, 256.0, BACKOFF_S_MAX, BACKOFF_S_MAX]
    box = Outbox()
    box.put(notice(1))
    assert [box.failed(jitter) for jitter in (0.0, 1.0, 0.5)] == [0.5, 2.0, 3.0]
    assert box.calls == 3
    box.done()
    assert box.calls == 0


def test_old_news_are_given_up() -> None:
    box = Outbox()
    assert not box.is_too_old(T0_MS)
    box.put(notice(1))
    assert not box.is_too_old(T0_MS + AGE_MS_MAX)
    assert box.is_too_old(T0_MS + AGE_MS_MAX + 1)


@pytest.mark.parametrize(
    ("status", "refused"),
    [(200, False), (204, False), (301, True), (307, True), (400, True), (401, True), (404, True), (410, True)]
    + [(status, False) for status in (0, 408, 425, 429, 500, 502, 503)],
)
def test_a_redirect_and_what_would_be_refused_again_are_not_tried_again(status: int, refused: bool) -> None:
    assert is_refused(HookReply(status)) is refused
