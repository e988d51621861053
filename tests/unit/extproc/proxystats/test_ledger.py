import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.proxystats.ledger import (
    HELD_MS,
    LAG_MS,
    POLLS_MAX,
    Held,
    Ledger,
    Poll,
    add_poll,
    add_received,
    from_document,
    hold,
    to_document,
)


class Site:
    """One Envoy and its sidecars, a second at a time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.now_ms, self.written, self.uptime_s = 1_000_000, 0, 0

    def second(self, written: int = 0, received: int | None = None) -> int:
        """Write, receive (all of it unless said), poll. Returns what counts as lost."""
        self.now_ms += 1_000
        self.uptime_s += 1
        self.written += written
        self.ledger = add_received(self.ledger, written if received is None else received)
        self.ledger = add_poll(self.ledger, Poll(self.now_ms, self.written, self.uptime_s))
        return self.ledger.lost

    def settle(self) -> int:
        for _ in range(LAG_MS // 1_000 + 1):
            self.second()
        return self.ledger.lost

    def restart_envoy(self) -> None:
        self.written, self.uptime_s = 0, 0


def test_nothing_is_lost_while_everything_arrives() -> None:
    site = Site()
    for _ in range(20):
        assert site.second(written=100) == 0


def test_what_never_arrives_is_lost_after_the_lag() -> None:
    site = Site()
    site.second(written=100)
    assert site.second(written=100, received=40) == 0
    assert site.settle() == 60
    assert site.settle() == 60


def test_what_arrives_within_the_lag_is_not_lost() -> None:
    """Envoy's flush, and a process at a hand-over that adds its count a second later."""
    site = Site()
    site.second(written=100, received=0)
    site.second(written=0, received=100)
    assert site.settle() == 0


def test_what_two_processes_received_is_added() -> None:
    site = Site()
    site.second(written=100, received=30)
    site.ledger = add_received(site.ledger, 70)
    assert site.settle() == 0


def test_a_process_killed_in_its_second_loses_what_it_did_not_add() -> None:
    site = Site()
    site.second(written=100)
    site.second(written=50, received=0)
    assert site.settle() == 50


def test_without_a_ledger_all_that_envoy_wrote_before_is_lost() -> None:
    """By definition: written, and received by nobody who remembers."""
    site = Site()
    site.written, site.uptime_s = 700, 60
    site.second()
    assert site.settle() == 700


def test_an_envoy_restart_is_a_new_base_and_keeps_what_was_lost() -> None:
    site = Site()
    site.second(written=100, received=90)
    site.settle()
    site.restart_envoy()
    site.second(written=30)
    assert site.settle() == 10
    site.second(written=30, received=25)
    assert site.settle() == 15


def test_losses_that_had_not_settled_when_envoy_restarted_are_kept() -> None:
    site = Site()
    site.second(written=100, received=60)
    site.restart_envoy()
    site.second()
    assert site.settle() == 40


def test_a_restarted_envoy_that_wrote_more_already_is_known_by_its_uptime() -> None:
    site = Site()
    for _ in range(5):
        site.second(written=10)
    site.restart_envoy()
    assert site.second(written=200) == 0
    assert site.settle() == 0


def test_a_poll_that_another_process_overtook_is_ignored() -> None:
    site = Site()
    site.second(written=10)
    assert add_poll(site.ledger, Poll(site.now_ms - 5, 1, 1)) == site.ledger


def test_a_clock_that_is_set_back_does_not_stop_the_ledger() -> None:
    site = Site()
    site.second(written=10)
    site.now_ms -= 3_600_000
    site.second(written=10, received=4)
    assert site.settle() == 6


def test_late_arrivals_never_take_a_loss_back() -> None:
    """The control plane reads a counter that goes back as a restart."""
    site = Site()
    site.second(written=100, received=0)
    assert site.settle() == 100
    site.second(written=0, received=100)
    assert site.settle() == 100


def test_the_polls_kept_are_bounded() -> None:
    ledger = Ledger()
    for n in range(100):
        ledger = add_poll(ledger, Poll(1_000_000 + n, 0, 1))
    assert len(ledger.polls) == POLLS_MAX


@settings(deadline=None)
@given(seconds=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_the_sum_is_what_was_written_minus_what_was_received_and_never_goes_back(
    seconds: list[tuple[int, int]],
) -> None:
    site, lost = Site(), 0
    written = received = 0
    for wrote, dropped in seconds:
        arrived = max(0, wrote - dropped)
        written, received = written + wrote, received + arrived
        now_lost = site.second(written=wrote, received=arrived)
        assert now_lost >= lost
        lost = now_lost
    assert site.settle() == written - received


def test_it_survives_its_file() -> None:
    site = Site()
    site.second(written=10, received=5)
    assert from_document(json.loads(json.dumps(to_document(site.ledger)))) == site.ledger


@pytest.mark.parametrize("document", [None, [], {}, {"polls": [{}]}, {"polls": [], "what": 1}, {"polls": 3}])
def test_another_document_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="ledger"):
        from_document(document)


def test_a_ledger_is_a_value() -> None:
    ledger = Ledger()
    assert add_received(ledger, 3) == replace(ledger, received=3)
    assert ledger.received == 0


def test_what_a_process_holds_is_missing_when_it_is_heard_no_more() -> None:
    ledger = hold(Ledger(), Held(1, 1_000, 30), 0)
    ledger = hold(ledger, Held(2, 1_000 + HELD_MS, 5), 0)
    assert (ledger.missing, [one.entries for one in ledger.held]) == (0, [30, 5])
    ledger = hold(ledger, Held(2, 1_001 + HELD_MS, 0), 0)
    assert (ledger.missing, ledger.held) == (30, ())
    assert hold(ledger, Held(2, 90_000, 0), 0).missing == 30


def test_what_a_process_holds_is_what_it_said_last() -> None:
    ledger = hold(hold(Ledger(), Held(1, 1_000, 30), 0), Held(1, 900_000, 4), 0)
    assert (ledger.missing, ledger.held) == (0, (Held(1, 900_000, 4),))
    assert hold(ledger, Held(1, 901_000, 0), 0) == Ledger()


def test_what_was_given_up_is_missing_at_once() -> None:
    ledger = hold(Ledger(), Held(1, 1_000, 30), 7)
    assert (ledger.missing, ledger.unreported, ledger.lost) == (7, 7, 0)


def test_a_clock_that_was_set_back_does_not_keep_the_dead_alive() -> None:
    ledger = hold(hold(Ledger(), Held(1, 3_600_000, 30), 0), Held(2, 1_000, 0), 0)
    assert (ledger.missing, ledger.held) == (30, ())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3_000), st.integers(0, 9), st.integers(0, 2)), max_size=20))
def test_what_is_held_is_kept_missing_or_said_to_be_safe(steps: list[tuple[int, int, int, int]]) -> None:
    """Nothing is counted twice, and a file says what the memory does."""
    ledger, now_ms, said = Ledger(), 0, dict[int, int]()
    for epoch, later_ms, entries, dropped in steps:
        now_ms += later_ms
        before = ledger
        ledger = hold(ledger, Held(epoch, now_ms, entries), dropped)
        said[epoch] = entries
        assert before.missing + dropped <= ledger.missing
        assert len({one.epoch for one in ledger.held}) == len(ledger.held)
        assert all(said[one.epoch] == one.entries > 0 for one in ledger.held)
        assert from_document(json.loads(json.dumps(to_document(ledger)))) == ledger
