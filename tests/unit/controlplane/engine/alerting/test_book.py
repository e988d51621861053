"""The states of a rule in time, silences, acknowledgements, and that all of it outlives a restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.engine.alerting.book import (
    JOURNAL,
    NO_DATA_MS,
    RESOLVE_AFTER_MS,
    SILENCE_MS_MAX,
    SILENCES_MAX,
    AlertStateError,
    RuleBook,
    Silence,
    book_of,
    record_of,
)
from controlplane.engine.alerting.condition import Answer
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record, StoreError

FOR_MS = 60_000
YES, NO, UNKNOWN = Answer(True, "errors 9%"), Answer(False), Answer(None)


def told(*answers: tuple[int, Answer], for_ms: int = FOR_MS, book: RuleBook | None = None) -> list[str]:
    """What happened at these seconds."""
    book = book or RuleBook()
    events = [book.step("r", for_ms, found, at_s * 1_000) for at_s, found in answers]
    return [event for event in events if event]


def test_it_fires_once_it_has_been_so_for_its_time() -> None:
    assert told((0, YES), (30, YES), (59, YES)) == ["pending"]
    assert told((0, YES), (30, YES), (60, YES), (90, YES)) == ["pending", "firing"]
    assert told((0, YES), for_ms=0) == ["firing"]


def test_a_break_begins_the_time_anew() -> None:
    assert told((0, YES), (50, NO), (55, YES), (70, YES)) == ["pending", "pending"]
    assert told((0, YES), (50, UNKNOWN), (55, YES), (70, YES)) == ["pending", "pending"]


def test_it_is_resolved_when_it_stays_away() -> None:
    fired = ((0, YES), (60, YES))
    assert told(*fired, (70, NO), (89, NO)) == ["pending", "firing"]
    assert told(*fired, (70, NO), (60 + RESOLVE_AFTER_MS // 1_000, NO)) == ["pending", "firing", "resolved"]
    assert told(*fired, (70, NO), (80, YES), (95, NO), (100, NO)) == ["pending", "firing"], "what flaps is one alert"


def test_missing_data_resolve_nothing_for_ten_minutes() -> None:
    fired, end_s = ((0, YES), (60, YES)), 60 + NO_DATA_MS // 1_000
    assert told(*fired, (70, UNKNOWN), (end_s - 1, UNKNOWN)) == ["pending", "firing"]
    assert told(*fired, (70, UNKNOWN), (end_s, UNKNOWN)) == ["pending", "firing", "resolved"]


@given(st.lists(st.sampled_from([YES, NO, UNKNOWN]), max_size=80))
def test_whatever_comes_it_fires_only_after_pending_and_resolves_only_after_firing(answers: list[Answer]) -> None:
    events = told(*((5 * number, found) for number, found in enumerate(answers)), for_ms=10_000)
    assert "".join(event[0] for event in events).replace("pfr", "").replace("p", "") in ("", "f")


def firing() -> RuleBook:
    book = RuleBook()
    told((0, YES), (60, YES), book=book)
    return book


def test_somebody_has_seen_what_fires_and_nothing_else() -> None:
    book = firing()
    book.acknowledged("r", "ada", "on it")
    assert (book.states["r"].acked_by, book.states["r"].acked_comment) == ("ada", "on it")
    with pytest.raises(AlertStateError, match="does not fire"):
        book.acknowledged("other", "ada", "")
    told((70, NO), (95, NO), (200, YES), (260, YES), book=book)
    assert book.states["r"].acked_by == "", "the next time is another"


def test_a_silence_is_of_a_rule_or_of_all_and_has_an_end() -> None:
    book = RuleBook()
    book.silenced(Silence("r", "ada", "deploy", 0, 1_000))
    assert book.silence_of("r", 999) is not None
    assert book.silence_of("r", 1_000) is None
    assert book.silence_of("s", 0) is None
    book.silenced(Silence("", "bob", "", 0, 500))
    assert book.silence_of("s", 0) is not None
    book.silenced(Silence("r", "ada", "", 10, 10))
    assert [each.rule for each in book.silences] == [""], "one without a time ends it"


def test_silences_are_bounded() -> None:
    book = RuleBook()
    with pytest.raises(AlertStateError, match="at most 720h"):
        book.silenced(Silence("r", "ada", "", 0, SILENCE_MS_MAX + 1))
    for number in range(SILENCES_MAX):
        book.silenced(Silence(f"r{number}", "ada", "", 0, 1_000))
    with pytest.raises(AlertStateError, match="100 silences already"):
        book.silenced(Silence("one-more", "ada", "", 0, 1_000))
    book.silenced(Silence("one-more", "ada", "", 2_000, 3_000))
    assert len(book.silences) == 1, "those that are over make room"


def test_it_is_read_back_as_it_was() -> None:
    book, store = firing(), MemoryStore()
    book.acknowledged("r", "ada", "on it")
    book.silenced(Silence("r", "ada", "deploy", 0, 1_000))
    store.append(record_of(book, "ada", "x", 5))
    (kept,) = store.records(JOURNAL, 1)
    assert book_of(kept) == book


@pytest.mark.parametrize("state", ["", "[]", '{"format": 2}', '{"format": 1, "states": {"r": {}}, "silences": []}'])
def test_a_record_that_cannot_be_read_is_an_error(state: str) -> None:
    with pytest.raises(StoreError):
        book_of(Record(JOURNAL, 0, 0, False, state, "rule", "rules", "", ""))
