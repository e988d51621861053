"""What `tests.e2e.kills` looks for is found where it is."""

import json

from controlplane.store.port import Record, StoredBatch
from serinus.v1 import outcomes_pb2
from tests.e2e.kill_checks import Book, journal_faults, missing

RATE = 2.0


def move(revision: int, code: str, *, step: int = 0, action: str = "hold") -> Record:
    state = json.dumps({"phase": {"kind": "observing", "step_index": step}})
    return Record("r", revision, revision, True, state, action, code, "said so", "")


def batch(seq: int, slot: int, requests: int, *, epoch: int = 1, lost: int = 0) -> StoredBatch:
    rows = [outcomes_pb2.SlotRow(slot=slot, requests=requests)]
    message = outcomes_pb2.Batch(seq=seq, rows=rows, proxy=outcomes_pb2.ProxyCounters(logs_lost_total=lost))
    return StoredBatch("edge", epoch, seq, slot * 1_000, message.SerializeToString())


def test_a_journal_without_a_fault_has_none() -> None:
    moves = [move(1, "applied"), move(2, "step_started"), move(3, "good_enough"), move(4, "step_started", step=1)]
    assert journal_faults("r", moves) == []


def test_a_move_or_a_step_that_is_lost_or_done_twice_is_found() -> None:
    assert "lost or repeated" in journal_faults("r", [move(1, "applied"), move(3, "good_enough")])[0]
    assert "lost or repeated" in journal_faults("r", [move(1, "applied"), move(1, "applied")])[0]
    twice = [move(1, "step_started"), move(2, "step_started")]
    assert journal_faults("r", twice) == ["r: steps started as [0, 0]"]
    assert journal_faults("r", [move(1, "applied"), move(2, "step_started", step=1)]) == ["r: steps started as [1]"]


def test_a_rollback_is_found() -> None:
    assert journal_faults("r", [move(1, "worse", action="rollback")]) == ["r: worse: said so"]


def test_a_hole_among_the_numbers_of_one_process_is_found() -> None:
    book = Book()
    book.take([batch(1, 10, 2), batch(3, 11, 2), batch(1, 12, 2, epoch=2)])
    assert book.holes() == ["edge/1: nothing between 1 and 3"]


def test_a_batch_counts_once_however_often_it_is_read_and_must_not_change() -> None:
    book = Book()
    book.take([batch(1, 10, 2, lost=3)])
    book.take([batch(1, 10, 2, lost=3), batch(2, 10, 1, lost=4)])
    assert (book.requests_by_slot, book.row_count, book.lost, book.changed) == ({10: 3}, 2, 4, 0)
    book.take([batch(1, 10, 9)])
    assert book.changed == 1


def test_what_is_missing_before_a_kill_is_told_in_seconds_of_traffic() -> None:
    book = Book()
    book.take([batch(1, 10, 2), batch(2, 11, 2), batch(3, 7, 5)])
    found = missing([10.1, 10.6, 11.1, 11.6, 12.1, 12.3, 12.8], book, [12.5], rate=RATE)
    assert (found.sent, found.stored, found.seconds_before_kill_max) == (7, 4, 1.0)
