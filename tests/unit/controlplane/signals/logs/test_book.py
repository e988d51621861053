"""Counts by version and pattern; what is not followed any more is forgotten."""

from controlplane.manifest.load import load
from controlplane.manifest.schema import ServiceSpec
from controlplane.manifest.server_logs import ServerLogs
from controlplane.signals.logs.book import LATELY_S, LogBook, LogPlace, LogTarget, VersionLogs
from controlplane.signals.logs.targets import FILES_MAX, UNITS_MAX, log_targets_of
from tests.unit.controlplane.manifest.samples import SERVICE

ONE = LogTarget(LogPlace("chat", "v2", "a.log"), False, (("oom", "out of memory"), ("cuda", "CUDA")))
TWO = LogTarget(LogPlace("chat", "v2", "b.log"), False, ONE.patterns)


def test_lines_seconds_and_what_came_lately() -> None:
    book = LogBook()
    book.follow((ONE, TWO))
    book.tell(ONE.place, "")
    for at_ms, lines in ((1_000, 5), (1_900, 2), (2_000, 1)):
        book.add(ONE.place, {"oom": lines}, at_ms)
    book.add(TWO.place, {"oom": 1}, 2_100, skipped_bytes=7)
    seen = book.of("chat", "v2", 3_000)
    assert (seen.sources, seen.followed, seen.skipped_bytes) == (2, 1, 7)
    assert (seen.lines, seen.seconds) == ({"oom": 9, "cuda": 0}, {"oom": 2, "cuda": 0})
    assert seen.lately == {"oom": 9, "cuda": 0}
    assert seen.faults == ("b.log: not read yet",)
    assert book.of("chat", "v2", (LATELY_S + 1) * 1_000).lately["oom"] == 2, "of the second 2 alone"


def test_what_is_followed_no_more_is_forgotten_and_what_stays_goes_on() -> None:
    book = LogBook()
    book.follow((ONE, TWO))
    book.add(ONE.place, {"oom": 3}, 1_000)
    book.follow((LogTarget(ONE.place, False, ONE.patterns[:1]),))
    assert book.of("chat", "v2", 1_000).lines == {"oom": 3}
    book.add(TWO.place, {"cuda": 3}, 1_000)
    assert book.of("chat", "v2", 1_000).lines == {"oom": 3}
    book.follow(())
    book.add(ONE.place, {"oom": 3}, 1_000)
    assert (book.of("chat", "v2", 1_000), book.versions()) == (VersionLogs(), [])


def test_targets_are_bounded_and_services_with_a_rollout_go_first() -> None:
    files = [f"f{number}.log" for number in range(16)]
    units = [f"u{number}.service" for number in range(8)]
    logs = ServerLogs.model_validate({"files": files, "units": units, "patterns": {"oom": "x"}})
    (manifest,) = load([("s.yaml", SERVICE)])
    spec = manifest.spec
    assert isinstance(spec, ServiceSpec)
    first = spec.versions[0].model_copy(update={"logs": logs})
    spec = spec.model_copy(update={"versions": (first, *spec.versions[1:])})
    found = log_targets_of({f"s{number:02d}": spec for number in range(20)}, ["s19"])
    assert len(found) == FILES_MAX + UNITS_MAX
    assert {target.place.service for target in found[:16]} == {"s19"}
    assert [target.is_unit for target in found] == [False] * FILES_MAX + [True] * UNITS_MAX
