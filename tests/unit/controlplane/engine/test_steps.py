"""`steps: auto` from traffic, once; and what a new rollout is told of its plan."""

import re

import pytest

from controlplane.engine.record import apply_writes
from controlplane.engine.steps import PLACEHOLDER, REQUESTS_MIN, SECONDS_MIN, with_steps
from controlplane.engine.world import World, plan_apply
from controlplane.evidence.planning import users_of_a_day
from controlplane.ingest.traffic import TrafficBook
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import Manifest, load
from controlplane.manifest.schema import RolloutSpec
from tests.unit.controlplane.ingest.test_merge import row
from tests.unit.controlplane.ingest.test_traffic import T0, hashes
from tests.unit.controlplane.manifest.samples import BOTH, ROLLOUT, SERVICE

AUTO = BOTH.replace("[10%, 50%, 100%]", "auto")
NOW = T0 + SECONDS_MIN - 1


def read(text: str) -> list[Manifest]:
    return load([("chat.yaml", text)], auto_steps=PLACEHOLDER)


def seen(users: int, *, rps: int = 50, failing: int = 0, seconds: int = SECONDS_MIN) -> TrafficBook:
    """Users who come in turn."""
    book, keys = TrafficBook(), sorted(hashes(users))
    for second in range(seconds):
        first = second * rps % users
        now = {keys[(first + number) % users] for number in range(rps)}
        bad = set(sorted(now)[:failing])
        book.add([row(T0 + second, "v1", ok=now - bad, bad=bad, rollout="", weight_class="", requests=rps)])
    return book


def keyless() -> TrafficBook:
    """Envoy deals them itself, and no sidecar is asked."""
    book = TrafficBook()
    book.add([row(T0 + second, "v1", rollout="", weight_class="", requests=50) for second in range(SECONDS_MIN)])
    return book


def told(text: str, book: TrafficBook, world: World | None = None) -> tuple[list[str], str]:
    manifests, notes = with_steps(read(text), world or World(), book, NOW)
    (rollout,) = [each for each in manifests if isinstance(each.spec, RolloutSpec)]
    steps: list[str] = rollout.data["steps"]
    return steps, notes.get("chat-v2", "")


def test_auto_becomes_a_ladder_that_begins_within_the_harm_budget_and_says_from_what() -> None:
    steps, note = told(AUTO, seen(100_000, failing=1))
    assert steps[0] == "5%"  # of harm_budget: 5%
    assert steps[-1] == "100%"
    assert len(steps) > 2
    assert note.startswith(f"steps [{', '.join(steps)}], from 50 requests/s, 2.000% of them failing, about ")


def test_users_who_come_back_are_counted_once() -> None:
    _, note = told(AUTO, seen(500))
    assert re.search(r"about (4[3-9]|5[0-7])\d users a day \(", note)


def test_so_few_users_that_the_first_step_would_break_the_budget_are_refused() -> None:
    with pytest.raises(
        ManifestError, match=r"`auto` would begin at 50%, above the harm budget of 5%: .* 31 users a day"
    ):
        told(AUTO, seen(30))


def test_each_request_is_a_key_where_the_service_says_so() -> None:
    _, note = told(AUTO.replace("sticky: {header: X-User-Id}", "sticky: request"), seen(30))
    assert "each a key of its own" in note
    assert "too few" not in note


def test_a_written_list_stays_and_its_warnings_are_told() -> None:
    steps, note = told(BOTH.replace("harm_budget: 5%", "harm_budget: 0.5%"), seen(30))
    assert steps == ["10%", "50%", "100%"]
    assert "steps [" not in note
    assert "given without evidence" in note
    assert "too few users" in note


@pytest.mark.parametrize(
    ("book", "now", "says"),
    [
        (TrafficBook(), NOW, "had no request so far"),
        (seen(1_000, seconds=20), T0 + 19, "had 1000 requests in 20 s so far"),
        (seen(10, rps=1), NOW, f"had 30 requests in 30 s so far; it needs {REQUESTS_MIN} requests and 30 s"),
        (seen(1_000), NOW + 7_200, "some of it lately"),
        (keyless(), NOW, "none of 1500 requests of service chat had a sticky key"),
    ],
)
def test_too_little_traffic_is_refused_in_words_and_only_for_auto(book: TrafficBook, now: int, says: str) -> None:
    with pytest.raises(ManifestError, match=r"chat.yaml:\d+: spec.steps: `auto`") as refused:
        with_steps(read(AUTO), World(), book, now)
    assert says in str(refused.value)
    assert with_steps(read(BOTH), World(), book, now)[1] == {"chat-v2": ""}


def test_the_ladder_is_derived_once() -> None:
    manifests, notes = with_steps(read(AUTO), World(), seen(100_000), NOW)
    plan = plan_apply(World(), manifests, T0 * 1000, notes)
    assert [change.note for change in plan.changes if change.kind == "Rollout"] == [notes["chat-v2"]]
    again, notes = with_steps(read(AUTO), plan.world, TrafficBook(), NOW)
    assert notes == {}
    assert {change.change for change in plan_apply(plan.world, again, T0 * 1000).changes} == {"unchanged"}


def test_a_ladder_that_no_longer_fits_its_plan_is_refused_in_words() -> None:
    manifests, notes = with_steps(read(AUTO), World(), seen(100_000), NOW)
    world = plan_apply(World(), manifests, T0 * 1000, notes).world
    again = read(AUTO.replace("steps: auto", "steps: auto\n  bake: {for: 10m, holdback: 99%}"))
    with pytest.raises(ManifestError, match=r"spec.steps: `auto` gives \[5%, .*, 100%\]: "):
        with_steps(again, world, TrafficBook(), NOW)


def test_what_a_new_rollout_was_told_is_in_its_first_record_and_is_no_edit() -> None:
    manifests, notes = with_steps(read(AUTO), World(), seen(100_000), NOW)
    _, (record,) = apply_writes(plan_apply(World(), manifests, T0 * 1000, notes), actor="ada", now_ms=T0 * 1000)
    assert (record.code, record.text) == ("applied", f"rollout of v2 over v1 begun by ada; {notes['chat-v2']}")


def test_a_rollout_of_an_unknown_service_is_left_to_the_check_of_references() -> None:
    manifests, notes = with_steps(read(ROLLOUT), World(), TrafficBook(), NOW)
    assert (len(manifests), notes) == (1, {})
    known = plan_apply(World(), load([("s.yaml", SERVICE)]), T0).world
    with pytest.raises(ManifestError, match="auto"):
        with_steps(read(ROLLOUT.replace("[10%, 50%, 100%]", "auto")), known, TrafficBook(), NOW)


@pytest.mark.parametrize(("users", "requests"), [(1_000, 100), (1_000, 5_000), (50, 10_000)])
def test_users_of_a_day_are_those_who_would_have_been_met(users: int, requests: int) -> None:
    met = users * (1 - (1 - 1 / users) ** requests)
    found = users_of_a_day(distinct=met, requests=requests, requests_a_day=1e6)
    assert found == pytest.approx(users, rel=0.03, abs=1)


def test_no_more_users_than_requests_and_no_fewer_than_were_met() -> None:
    assert users_of_a_day(distinct=100, requests=100, requests_a_day=5_000) == 5_000
    assert users_of_a_day(distinct=0, requests=0, requests_a_day=0) == 1
    assert users_of_a_day(distinct=7, requests=10**9, requests_a_day=10**9) in (7, 8)
