"""How many series there are: so many a service and a rollout that runs, and none of what has been."""

from collections import Counter

from controlplane.engine.series import refresh
from controlplane.rollout.events import Abort
from controlplane.signals.book import Place
from controlplane.signals.logs.book import LogPlace, LogTarget
from controlplane.signals.signal import Signal
from controlplane.telemetry.catalogue import CATALOGUE
from controlplane.telemetry.rollouts import ENDED_MS_MAX
from tests.unit.controlplane.engine.test_runner import Story, rollout, service, told

# Phase, two weights, two of what was seen, finding, evidence and what it needs in two directions of two metrics, two
# versions; and of each decision's reason one. What it has in this test is 8.
OF_A_ROLLOUT_MAX = 40


def series(story: Story) -> Counter[str]:
    """By metric, as Prometheus would count them."""
    refresh(story.engine, story.exporter)
    lines = story.exporter.text().decode().splitlines()
    return Counter(line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#"))


def test_a_hundred_services_and_rollouts_are_so_many_series_each_and_none_an_hour_after_their_end() -> None:
    names = [f"s{number:03d}" for number in range(100)]

    async def tell(story: Story) -> None:
        empty = series(story)
        await story.apply(*map(service, names))
        assert series(story) == empty, "a service alone has none"
        await story.apply(*map(rollout, names))
        await story.engine._tick()
        running = series(story)
        grown = running - empty
        assert sum(grown.values()) <= OF_A_ROLLOUT_MAX * len(names)
        assert all(count % len(names) == 0 for count in grown.values()), "each rollout has the same ones"
        for name in names:
            await story.engine.command(f"{name}-v2", Abort(story.clock.at_ms, "ada", "x"))
        story.clock.at_ms += ENDED_MS_MAX - 1
        assert sum((series(story) - empty).values()) >= len(names), "for an hour one sees what was"
        story.clock.at_ms += 1
        assert series(story) == empty

    told(tell)


def test_who_releases_often_under_one_name_has_no_more_series_than_who_does_once() -> None:
    async def tell(story: Story) -> None:
        await story.apply(service("chat"), rollout("chat"))
        await story.engine._tick()
        await story.engine.command("chat-v2", Abort(story.clock.at_ms, "ada", "x"))
        once = series(story)
        for number in range(5):
            story.clock.at_ms += 60_000
            await story.apply(rollout("chat").replace("harm_budget: 5%", f"harm_budget: {number + 1}%"))
            await story.engine._tick()
            await story.engine.command("chat-v2", Abort(story.clock.at_ms, "ada", "x"))
        assert series(story) == once

    told(tell)


def test_counters_of_servers_leave_with_their_version_and_begin_at_0_when_it_is_back() -> None:
    async def tell(story: Story) -> None:
        book, empty = story.engine.signals, series(story)
        place, log = Place("chat", "v2", "a"), LogTarget(LogPlace("chat", "v2", "v2.log"), False, (("oom", "x"),))

        def lines(text: str) -> list[str]:
            return [line for line in story.exporter.text().decode().splitlines() if line.startswith(text)]

        for lines_there in (5, 3):
            book.follow((place,))
            book.logs.follow((log,))
            for seconds in (1.0, 1.0 + lines_there):
                book.add(place, {Signal.CPU_SECONDS: seconds}, story.clock.at_ms)
            book.logs.add(log.place, {"oom": lines_there}, story.clock.at_ms)
            series(story)
            (counted,) = lines("serinus_server_log_lines_total{")
            assert counted.endswith(f" {lines_there}.0")
            (used,) = lines("serinus_server_cpu_seconds_total{")
            assert used.endswith(f" {lines_there}.0")
            book.follow(())
            book.logs.follow(())
            assert series(story) == empty

    told(tell)


def test_no_metric_has_a_label_that_users_could_fill() -> None:
    """Values of all others come from manifests and code."""
    known = {"service", "rollout", "version", "arm", "phase", "finding", "metric", "direction", "action", "reason"}
    known |= {"type", "kind", "result", "outcome", "rule", "severity", "state", "steady", "pattern", "probe", "signal"}
    assert {label for metric in CATALOGUE for label in metric.labels} == known
