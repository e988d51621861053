from dataclasses import replace
from typing import Any

import pytest

from extproc.accesslog.ingest import Ingest
from extproc.accesslog.join import WAIT_MS
from extproc.aggregate.slot import Sealed
from extproc.aggregate.window import SlotWindow
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.tables import Counter
from serinus.contract.logline import OWN, SHARED, SHARED_BEFORE, TAG, TAG_BEFORE, line_format, values_of
from serinus.envoywire import accesslog_pb2
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.messages import POLICY, START_US, lined, log_entry, log_message

LENGTH = Observation(observable=True, complete=True, finish_reason="length", has_content=True)


class Bench:
    def __init__(self, *, observe: bool = True) -> None:
        self.clock = ManualClock()
        self.catalogue = Catalogue()
        self.policies = PolicyHolder(10_000)
        self.policies.replace(PolicySet("p1", {"chat": replace(POLICY, observe_body=observe)}))
        self.window = SlotWindow(self.catalogue)
        self.ingest = Ingest(policies=self.policies, window=self.window, catalogue=self.catalogue, clock=self.clock)

    def sealed(self) -> Sealed:
        return self.window.take(self.clock.ms, 10_000)

    def classes(self) -> dict[str, int]:
        (row,) = self.sealed().rows.values()
        return row.classes


def counts(counter: Counter) -> dict[str, int]:
    return {labels[0]: count for labels, count in counter.values.items()}


def test_without_observation_an_entry_is_counted_at_once() -> None:
    bench = Bench(observe=False)
    bench.ingest.access_logs(log_message(log_entry(), log_entry(code=500)))
    assert bench.classes() == {"ok": 1, "server_error": 1}


def test_an_observed_service_waits_for_the_body() -> None:
    bench = Bench()
    bench.ingest.access_logs(log_message(log_entry()))
    assert bench.sealed().rows == {}
    bench.ingest.observation("q1", LENGTH)
    (row,) = bench.sealed().rows.values()
    assert row.metrics["finish_reason:length"].bad == 1
    assert counts(bench.catalogue.observations) == {"joined": 1}


def test_a_body_that_is_never_seen_delays_by_a_second_only() -> None:
    bench = Bench()
    bench.ingest.access_logs(log_message(log_entry()))
    bench.clock.ms += WAIT_MS
    bench.ingest.tick()
    assert bench.classes() == {"ok": 1}
    assert counts(bench.catalogue.observations) == {"missing": 1}


def test_an_error_needs_no_body_and_travels_at_once() -> None:
    bench = Bench()
    bench.ingest.access_logs(log_message(log_entry(code=503, flags="URX,UF")))
    assert bench.classes() == {"upstream_reset": 1}
    assert counts(bench.catalogue.observations) == {}


@pytest.mark.parametrize("how", [lambda entry: entry, lined])
def test_a_failed_grpc_call_is_a_failure_of_any_service(how: Any) -> None:
    bench = Bench(observe=False)
    bench.ingest.access_logs(log_message(*(how(log_entry(grpc=status)) for status in ("-", "0", "13", "3", "x"))))
    assert bench.classes() == {"ok": 2, "server_error": 1, "client_error": 1}
    assert counts(bench.catalogue.log_entries) == {"counted": 4, "malformed": 1}


def test_a_line_of_the_form_before_is_read_as_well() -> None:
    """Until the control plane is upgraded too."""
    entry = lined(log_entry(code=500))
    tags = entry.common_properties.custom_tags
    values = values_of(tags[TAG])
    _, shared, own = line_format(values).split("\t", 2)
    tags[TAG_BEFORE] = "\t" + " ".join(shared.split(" ")[: len(SHARED_BEFORE)]) + "\t" + own
    del tags[TAG]
    bench = Bench(observe=False)
    bench.ingest.access_logs(log_message(entry))
    (row,) = bench.sealed().rows.values()
    assert (row.classes, row.metrics["errors"].keys_bad) == ({"server_error": 1}, {0xAB00 + 7_000})


@pytest.mark.parametrize("how", [lambda entry: entry, lined])
def test_of_a_sampled_service_only_what_was_picked_waits_for_its_body(how: Any) -> None:
    bench = Bench()
    bench.policies.replace(PolicySet("p2", {"chat": replace(POLICY, observe_sampled=True)}))
    bench.ingest.access_logs(log_message(how(log_entry(request_id="q2"))))
    (row,) = bench.sealed().rows.values()
    assert (row.classes, set(row.metrics)) == ({"ok": 1}, {"errors"}), "not looked at is not observed"
    bench.ingest.access_logs(log_message(how(log_entry(sampled='{"a":"b"}'))))
    assert bench.sealed().rows == {}
    bench.ingest.observation("q1", LENGTH)
    (row,) = bench.sealed().rows.values()
    assert (row.classes, row.metrics["finish_reason:length"].bad) == ({"ok": 1}, 1)
    assert counts(bench.catalogue.observations) == {"joined": 1}


def test_of_an_api_without_a_finish_no_share_of_finishes_is_told() -> None:
    bench = Bench()
    bench.ingest.access_logs(log_message(log_entry()))
    bench.ingest.observation("q1", replace(LENGTH, finish_reason=""))
    (row,) = bench.sealed().rows.values()
    assert (row.classes, set(row.metrics)) == ({"ok": 1}, {"errors"})


def test_an_unobservable_body_is_not_bad() -> None:
    bench = Bench()
    bench.ingest.observation("q1", UNOBSERVABLE)
    bench.ingest.access_logs(log_message(log_entry()))
    (row,) = bench.sealed().rows.values()
    assert row.classes == {"ok": 1}
    assert set(row.metrics) == {"errors"}
    assert counts(bench.catalogue.observations) == {"unobservable": 1}


def test_every_entry_that_could_be_read_counts_as_received() -> None:
    """Envoy's `logs_written` counts all of them; the difference is what was lost."""
    bench = Bench()
    entries = (log_entry(), log_entry(service=""), log_entry(weight_bp="x"))
    bench.ingest.access_logs(log_message(*entries))
    bench.ingest.access_logs(b"\xff\xff")
    assert bench.ingest.take_received() == 3
    assert bench.ingest.take_received() == 0
    assert counts(bench.catalogue.log_entries) == {"counted": 1, "foreign": 1, "malformed": 2}


def test_a_key_hash_with_a_sign_is_malformed() -> None:
    """Found by fuzzing: a report cannot carry it, and the loop that reports ended the process."""
    values = dict.fromkeys((*SHARED, *OWN), "") | {"service": "chat", "type": "DownstreamEnd", "code": "500"}
    values |= {"bucket": "7", "key": "-00000000000000f", "start_us": str(START_US), "sent_us": "1", "rollout": "r"}
    entry = accesslog_pb2.HTTPAccessLogEntry()
    entry.common_properties.custom_tags[TAG] = line_format(values)
    bench = Bench()
    bench.ingest.access_logs(log_message(entry))
    assert all(
        not metric.keys_ok | metric.keys_bad for row in bench.sealed().rows.values() for metric in row.metrics.values()
    )


def test_the_end_of_the_process_counts_what_waits() -> None:
    bench = Bench()
    bench.ingest.access_logs(log_message(log_entry()))
    bench.ingest.flush()
    assert bench.classes() == {"ok": 1}


def test_each_service_has_its_own_follow_up() -> None:
    bench = Bench(observe=False)
    bench.policies.replace(PolicySet("p2", {"chat": replace(POLICY, observe_body=False, follow_up_ms=5)}))
    bench.ingest.access_logs(log_message(log_entry(duration_us=5_001)))
    assert bench.sealed().rows == {}
    assert bench.window.late_outcomes_total == 1


def test_dashboards_count_late_outcomes_too() -> None:
    bench = Bench(observe=False)
    bench.ingest.access_logs(log_message(log_entry(duration_us=20_000_000)))
    assert bench.catalogue.outcomes.values == {("chat", "v1", "everyone", "ok", ""): 1}


def test_old_observations_are_counted_as_orphaned() -> None:
    bench = Bench()
    bench.ingest.observation("q1", LENGTH)
    bench.clock.ms += 60_000
    bench.ingest.tick()
    assert counts(bench.catalogue.observations) == {"orphaned": 1}


def running(after_us: int, **how: Any) -> accesslog_pb2.HTTPAccessLogEntry:
    """An entry that Envoy writes so long after the start, of a request that still runs."""
    entry = log_entry(duration_us=after_us, finished=False, **how)
    entry.common_properties.access_log_type = 5
    return entry


def told_each_second(bench: Bench, seconds: int, late_us: int = 3_000, **how: Any) -> None:
    start_ms = START_US // 1_000
    for second in range(1, seconds + 1):
        bench.clock.ms = start_ms + second * 1_000 + late_us // 1_000 + 90
        bench.ingest.access_logs(log_message(lined(running(second * 1_000_000 + late_us, **how))))


@pytest.mark.parametrize("late_us", [0, 3_000, 700_000, 999_999])
def test_a_request_that_runs_beyond_its_follow_up_is_counted_once_as_it_stands(late_us: int) -> None:
    bench = Bench()
    told_each_second(bench, 14, late_us)
    bench.ingest.access_logs(log_message(lined(log_entry(duration_us=15_000_000, code=504, flags="UT"))))
    bench.ingest.flush()
    (row,) = bench.window.take(START_US // 1_000, 10_000).rows.values()
    assert row.classes == {"running": 1}
    assert (row.metrics["errors"].bad, row.requests) == (0, 1)
    assert len(row.metrics["errors"].keys_ok) == 1
    assert bench.window.late_outcomes_total == 1
    assert list(counts(bench.catalogue.outcomes).values()) == [1], "dashboards count it when it ends"
    assert counts(bench.catalogue.log_entries) == {"running": 14, "counted": 1}


@pytest.mark.parametrize("code", [0, 503])
def test_a_request_without_a_good_byte_by_then_is_a_failure(code: int) -> None:
    bench = Bench()
    start_ms = START_US // 1_000
    entry = running(10_002_000, code=code)
    if not code:
        entry.common_properties.ClearField("time_to_first_upstream_rx_byte")
    bench.clock.ms = start_ms + 10_100
    bench.ingest.access_logs(log_message(lined(entry)))
    (row,) = bench.window.take(start_ms, 10_000).rows.values()
    assert row.classes == {"overdue": 1}
    assert row.metrics["errors"].bad == 1


def test_what_still_runs_long_before_or_after_its_follow_up_is_counted_in_no_row() -> None:
    bench = Bench()
    told_each_second(bench, 9)
    assert bench.sealed().rows == {}
    bench.clock.ms += 3_600_000
    assert bench.sealed().rows == {}  # its slot is closed now
    bench.ingest.access_logs(log_message(lined(running(10_500_000))))
    assert bench.sealed().rows == {}
    assert bench.window.late_outcomes_total == 0
    assert counts(bench.catalogue.outcomes) == {}
