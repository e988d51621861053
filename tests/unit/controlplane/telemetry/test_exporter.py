"""What a scrape of the control plane gets: text that Prometheus reads, no more series than there should be, and soon."""

import shutil
import subprocess
import time

from prometheus_client.parser import text_string_to_metric_families

from controlplane.telemetry.catalogue import (
    CATALOGUE,
    DECISIONS,
    ROLLOUT_EVIDENCE,
    ROLLOUT_PHASE,
    SIDECARS,
    STORE_WRITE,
    XDS_NACKS,
)
from controlplane.telemetry.exporter import Exporter
from controlplane.telemetry.rollouts import RolloutSeries, series
from tests import skips

METRICS = ("errors", "ttft", "latency")
EVIDENCE = {(name, direction): (0.5, 4.6) for name in METRICS for direction in ("worse", "good_enough")}


def row(number: int) -> RolloutSeries:
    return RolloutSeries(f"s{number}", f"r{number}", "observing", "v1", "v2", 1_000, 0.11, EVIDENCE)


def filled(rollouts: int) -> Exporter:
    exporter = Exporter()
    for number in range(rollouts):
        for metric, value, labels in series(row(number)):
            exporter.set(metric, value, *labels)
    return exporter


def samples(exporter: Exporter, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(exporter.text().decode())
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


def test_every_metric_is_in_the_text_with_its_help_even_without_a_value() -> None:
    text = Exporter().text().decode()
    for metric in CATALOGUE:
        assert f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind.name.lower()}\n" in text


def test_values_and_labels_come_back_as_they_were_set_whatever_is_in_them() -> None:
    exporter = Exporter()
    odd = 'a\\b "c"\nd, é'
    exporter.set(ROLLOUT_PHASE, 1, "chat", odd, "observing")
    exporter.set(SIDECARS, 3)
    exporter.set(ROLLOUT_EVIDENCE, float("-inf"), "chat", "r", "errors", "worse")
    exporter.set(ROLLOUT_EVIDENCE, 1e-9, "chat", "r", "ttft", "worse")
    assert samples(exporter, "serinus_rollout_phase") == [
        ({"service": "chat", "rollout": odd, "phase": "observing"}, 1.0)
    ]
    assert samples(exporter, "serinus_sidecars") == [({}, 3.0)]
    assert [value for _, value in samples(exporter, "serinus_rollout_log_evidence")] == [float("-inf"), 1e-9]


def test_what_is_cleared_has_no_series() -> None:
    exporter = filled(1)
    exporter.clear(ROLLOUT_PHASE)
    assert samples(exporter, "serinus_rollout_phase") == []


def test_a_rollout_has_eight_series_and_four_for_each_metric_that_is_judged() -> None:
    lines = [len([line for line in filled(count).text().splitlines() if line[:1] != b"#"]) for count in (0, 1, 50)]
    # Phase and finding, weight, observed share and arm of both versions, evidence and what is needed in both directions.
    each = 2 + 3 * 2 + 2 * len(EVIDENCE)
    assert (lines[1] - lines[0], lines[2] - lines[0]) == (each, 50 * each)


def test_a_thousand_rollouts_that_run_are_scraped_in_a_fraction_of_what_the_library_took() -> None:
    # 0.04-0.1 s of CPU where it was 0.8 s; the limit is for a slow machine.
    began = time.process_time()
    assert len(filled(1_000).text().splitlines()) > 20_000
    assert time.process_time() - began < 0.5


def test_promtool_has_nothing_to_say_about_it() -> None:
    found = shutil.which("promtool")
    if found is None:
        skips.skip("promtool is missing", next_step="install Debian's package prometheus")
    exporter = filled(2)
    exporter.count(DECISIONS, "chat", "r", "hold", "min_step")
    exporter.count(XDS_NACKS, "Cluster")
    exporter.observe(STORE_WRITE, 0.002)
    done = subprocess.run(
        [found, "check", "metrics"], input=exporter.text(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
