"""The rules for Prometheus: names that exist, words that help, and what fires when (by promtool, on series written out)."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import skips
from tests.unit.compose_file import ROOT, mount_of, yaml_of
from tests.unit.test_dashboards import unknown_names

RULES = "envoy/observability/rules.yml"
CASES = "tests/data/rules_test.yml"
GROUPS: list[dict[str, Any]] = yaml_of(RULES)["groups"]
EVERY_RULE = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in EVERY_RULE if "alert" in rule}
RECORDED = {rule["record"] for rule in EVERY_RULE if "record" in rule}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if found is None:
        skips.skip("promtool is missing", next_step="install Debian's package prometheus")
    return subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_promtool_accepts_the_rules_and_the_configuration_that_loads_them() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    # Syntax only: the file of the CA is in the container.
    done = promtool("check", "config", "--syntax-only", "envoy/observability/prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_case_fires_what_it_says_and_no_more() -> None:
    done = promtool("test", "rules", CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    cases = [case for test in yaml_of(CASES)["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(ALERTS)


def test_every_rule_asks_for_metrics_and_labels_that_exist() -> None:
    faults = {rule["expr"]: found for rule in EVERY_RULE if (found := unknown_names(_without_recorded(rule["expr"])))}
    assert faults == {}


def _without_recorded(expression: str) -> str:
    for name in RECORDED:
        expression = expression.replace(name, "recorded")
    return expression


@pytest.mark.parametrize("rule", ALERTS.values(), ids=list(ALERTS))
def test_an_alert_says_how_urgent_it_is_what_happened_and_what_next(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Serinus")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "next"}
    chapter = re.search(r"docs/operations\.md, (.+)", rule["annotations"]["next"])
    if chapter is not None and not chapter[1].startswith("the reason"):
        assert f"\n## {chapter[1]}\n" in Path(ROOT / "docs/operations.md").read_text(encoding="utf-8")


def test_prometheus_of_the_containers_loads_them() -> None:
    assert yaml_of("envoy/observability/prometheus.yml")["rule_files"] == [Path(RULES).name]
    mount = mount_of("prometheus", f"/etc/prometheus/{Path(RULES).name}")
    assert mount is not None
    assert (ROOT / mount.source).resolve() == ROOT / RULES


def test_operations_has_every_alert() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert [name for name in ALERTS if f"`{name}`" not in text] == []
