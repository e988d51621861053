"""The Grafana dashboards: importable as files, and asking only for metrics and labels that exist."""

import json
import re
from typing import Any

import pytest

from controlplane.telemetry.catalogue import CATALOGUE, Kind
from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.tables import Histogram
from tests.unit.compose_file import ROOT, yaml_of

FOLDER = ROOT / "envoy/observability/grafana/dashboards"
FILES = sorted(FOLDER.glob("*.json"))
UNITS = {"short", "percentunit", "reqps", "cps", "ops", "s", "bytes", "Bps"}
VARIABLES = {
    "fleet": ["datasource", "service"],
    "llm": ["datasource", "service", "rollout"],
    "rollout": ["datasource", "service", "rollout"],
    "sidecar": ["datasource", "instance"],
}
BASELINE_COLOUR, CANDIDATE_COLOUR = "#5794F2", "#FF9830"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def catalogue() -> dict[str, set[str]]:
    """Every series name that the two planes expose, with its labels."""
    series: dict[str, set[str]] = {}
    for metric in CATALOGUE:
        labels = set(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            series |= histogram(metric.name, labels)
        else:
            series[metric.name] = labels
    for table in Catalogue().tables():
        metric, labels = table.metric, set(table.metric.labels)
        series |= histogram(metric.name, labels) if isinstance(table, Histogram) else {metric.name: labels}
    return series


def histogram(name: str, labels: set[str]) -> dict[str, set[str]]:
    return {f"{name}_bucket": {*labels, "le"}, f"{name}_sum": labels, f"{name}_count": labels}


SERIES = catalogue()
# What Prometheus adds to every series.
TARGET_LABELS = {"job", "instance"}


def dashboard(path: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def panels(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def expressions(document: dict[str, Any]) -> list[str]:
    queries = [target["expr"] for panel in panels(document) for target in panel["targets"]]
    variables = [entry["query"]["query"] for entry in document["templating"]["list"] if entry["type"] == "query"]
    return [*queries, *variables, *(entry["expr"] for entry in document["annotations"]["list"])]


def unknown_names(expression: str) -> set[str]:
    """Metrics that do not exist, and labels that the metric in front of the braces does not have."""
    faults = {name for name in re.findall(r"\bserinus_\w+", expression) if name not in SERIES}
    for name, selector in re.findall(r"\b(serinus_\w+)\{([^}]*)\}", expression):
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        faults |= {f"{name}{{{label}}}" for label in used - SERIES.get(name, used) - TARGET_LABELS}
    every_label = set().union(*SERIES.values()) | TARGET_LABELS
    for labels in re.findall(r"\b(?:by|on|group_left|group_right|without|ignoring)\s*\(([^)]*)\)", expression):
        faults |= {label for label in labels.replace(" ", "").split(",") if label and label not in every_label}
    return faults


def test_there_is_one_of_the_fleet_of_a_rollout_of_language_models_and_of_the_sidecars() -> None:
    assert [path.stem for path in FILES] == sorted(VARIABLES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_imports_into_any_grafana(path: Any) -> None:
    document = dashboard(path)
    assert document["id"] is None
    assert document["uid"] == f"serinus-{path.stem}"
    assert document["schemaVersion"] >= 38
    assert [entry["name"] for entry in document["templating"]["list"]] == VARIABLES[path.stem]
    assert document["templating"]["list"][0]["type"] == "datasource"
    asked = [*panels(document), *document["annotations"]["list"], *document["templating"]["list"][1:]]
    asked += [target for panel in panels(document) for target in panel["targets"]]
    assert all(entry["datasource"] == DATASOURCE for entry in asked)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_query_asks_for_metrics_and_labels_that_exist(path: Any) -> None:
    faults = {expression: found for expression in expressions(dashboard(path)) if (found := unknown_names(expression))}
    assert faults == {}


def test_the_check_of_names_sees_what_does_not_exist() -> None:
    assert unknown_names("rate(serinus_outcome_total[1m])") == {"serinus_outcome_total"}
    assert unknown_names('serinus_xds_streams{service="x"}') == {"serinus_xds_streams{service}"}
    assert unknown_names("sum by (arms) (serinus_version_info)") == {"arms"}
    assert unknown_names('serinus_outcomes_total{service="x", job="y"}') == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_panel_explains_itself_and_has_a_unit(path: Any) -> None:
    for panel in panels(dashboard(path)):
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_arm_has_one_colour_everywhere(path: Any) -> None:
    found: dict[str, set[str]] = {"baseline": set(), "candidate": set()}
    has_arms = False
    for panel in panels(dashboard(path)):
        by_arm = any("{{arm}}" in target.get("legendFormat", "") for target in panel["targets"])
        colours = {
            override["matcher"]["options"]: prop["value"]["fixedColor"]
            for override in panel["fieldConfig"]["overrides"]
            for prop in override["properties"]
            if prop["id"] == "color"
        }
        has_arms |= by_arm
        assert not by_arm or {"/baseline/", "/candidate/"} <= set(colours), panel["title"]
        for arm, seen in found.items():
            seen |= {colour for pattern, colour in colours.items() if arm in pattern}
    assert has_arms == (path.stem in {"llm", "rollout"})
    if has_arms:
        assert found == {"baseline": {BASELINE_COLOUR}, "candidate": {CANDIDATE_COLOUR}}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_steps_are_marked_the_first_too_where_there_are_rollouts(path: Any) -> None:
    """A counter's first value is no increase: the first decision of a rollout is a series that was not there."""
    marked = [entry["expr"] for entry in dashboard(path)["annotations"]["list"]]
    assert len(marked) == (0 if path.stem == "sidecar" else 1)
    assert all("increase(" in expression and " unless " in expression for expression in marked)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_panels_lie_side_by_side_with_ids_of_their_own(path: Any) -> None:
    document = dashboard(path)
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells


def test_no_two_dashboards_share_a_uid() -> None:
    uids = [dashboard(path)["uid"] for path in FILES]
    assert len(uids) == len(set(uids))


def test_the_provisioned_source_is_there_for_the_variable() -> None:
    (source,) = yaml_of("envoy/observability/grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
