from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.accesslog.join import ENTRIES_MAX, OBSERVATION_WAIT_MS, OBSERVATIONS_MAX, WAIT_MS, Join, Joined
from extproc.outcome.observation import Observation
from tests.unit.extproc.messages import entry

SEEN = Observation(observable=True, complete=True, finish_reason="stop", has_content=True)


def test_the_entry_waits_for_its_observation() -> None:
    join = Join()
    assert list(join.entry(entry("q1"), 0)) == []
    assert join.observation("q1", SEEN, 300) == Joined(entry("q1"), SEEN)
    assert list(join.expire(10_000)) == []


def test_the_observation_waits_for_its_entry() -> None:
    join = Join()
    assert join.observation("q1", SEEN, 0) is None
    assert list(join.entry(entry("q1"), OBSERVATION_WAIT_MS - 1)) == [Joined(entry("q1"), SEEN)]


def test_an_entry_waits_one_second_and_goes_without() -> None:
    join = Join()
    list(join.entry(entry("q1"), 0))
    assert list(join.expire(WAIT_MS - 1)) == []
    assert list(join.expire(WAIT_MS)) == [Joined(entry("q1"), None)]
    assert join.observation("q1", SEEN, WAIT_MS) is None


def test_an_observation_whose_entry_never_comes_is_counted() -> None:
    join = Join()
    join.observation("q1", SEEN, 0)
    assert list(join.expire(OBSERVATION_WAIT_MS)) == []
    assert join.orphaned == 1
    assert list(join.entry(entry("q1"), OBSERVATION_WAIT_MS)) == []


def test_an_observation_of_a_request_that_was_counted_is_forgotten() -> None:
    join = Join()
    join.observation("q1", SEEN, 0)
    join.forget("q1")
    list(join.expire(OBSERVATION_WAIT_MS))
    assert join.orphaned == 0


def test_two_entries_of_one_id_are_two_outcomes() -> None:
    join = Join()
    list(join.entry(entry("q1", version="v1"), 0))
    assert list(join.entry(entry("q1", version="v2"), 1)) == [Joined(entry("q1", version="v1"), None)]
    assert list(join.flush()) == [Joined(entry("q1", version="v2"), None)]


def test_both_tables_are_bounded_and_the_oldest_goes_first() -> None:
    join = Join()
    ready = [joined for n in range(ENTRIES_MAX + 1) for joined in join.entry(entry(f"q{n}"), 0)]
    assert ready == [Joined(entry("q0"), None)]
    for n in range(OBSERVATIONS_MAX + 1):
        join.observation(f"o{n}", SEEN, 0)
    assert join.orphaned == 1


@settings(deadline=None)
@given(
    events=st.lists(
        st.tuples(st.sampled_from(["entry", "observation", "tick"]), st.integers(0, 9), st.integers(0, 700)),
        max_size=60,
    )
)
def test_every_entry_comes_out_exactly_once(events: list[tuple[str, int, int]]) -> None:
    join, now_ms, out = Join(), 0, []
    given_entries = 0
    for kind, number, wait_ms in events:
        now_ms += wait_ms
        if kind == "entry":
            given_entries += 1
            out += join.entry(entry(f"q{number}"), now_ms)
        elif kind == "observation":
            joined = join.observation(f"q{number}", SEEN, now_ms)
            out += [joined] if joined else []
        else:
            out += join.expire(now_ms)
    out += join.flush()
    assert len(out) == given_entries
