"""What an AlertRule takes, and what it refuses before anybody relies on it."""

import re

import pytest

from controlplane.manifest.alert_rule import AlertRuleSpec, Arm, Direction, Odd, RuleSeverity
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.rules import check
from controlplane.manifest.schema import ServiceSpec
from tests.unit.controlplane.manifest.samples import SERVICE


def rule_text(when: str, more: str = "", service: str = "chat") -> str:
    return (
        "apiVersion: serinus/v1\nkind: AlertRule\nmetadata: {name: chat-errors}\n"
        f"spec:\n  service: {service}\n  when: {when}\n{more}"
    )


def rule(when: str, more: str = "") -> AlertRuleSpec:
    (manifest,) = load([("r.yaml", rule_text(when, more))])
    assert isinstance(manifest.spec, AlertRuleSpec)
    return manifest.spec


def test_one_condition_stands_alone_with_its_units() -> None:
    spec = rule("{metric: errors, above: 5%, window: 1m}")
    (one,) = spec.measures
    assert (one.metric, one.of, one.above, one.window_ms) == ("errors", Arm.CANDIDATE, 0.05, 60_000)
    assert (spec.for_ms, spec.severity, spec.notify) == (60_000, RuleSeverity.TICKET, ())
    assert rule("{metric: held, above: 10m}").measures[0].above == 600.0
    assert rule("{metric: queue, of: baseline, below: 3}").measures[0].below == 3.0


def test_conditions_combine_in_all_or_in_any() -> None:
    several = "[{metric: errors, rises_by: 2%}, {metric: ttft, trend: rising}, {metric: requests, anomaly: low}]"
    spec = rule(f"{{any: {several}}}", "  for: 0s\n  severity: page\n  labels: {team: ml}\n")
    assert [each.metric for each in spec.measures] == ["errors", "ttft", "requests"]
    assert (spec.measures[1].trend, spec.measures[2].anomaly) == (Direction.RISING, Odd.LOW)
    assert (spec.severity, spec.labels) == (RuleSeverity.PAGE, {"team": "ml"})
    assert not rule(f"{{all: {several}}}").when.any_of


def test_lists_stand_in_each_other() -> None:
    spec = rule(
        "{all: [{metric: requests, above: 5}, {any: [{metric: errors, above: 2%}, {metric: held, above: 1m}]}]}"
    )
    assert [each.metric for each in spec.measures] == ["requests", "errors", "held"]
    assert spec.when.depth == 2


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{all: [{any: [{all: [{any: [{metric: held, above: 1m}]}]}]}]}", "at most 3 deep"),
        (
            f"{{all: [{', '.join(['{any: [{metric: held, above: 1m}, {metric: queue, above: 1}]}'] * 6)}]}}",
            "at most 10",
        ),
        ("{all: [{any: []}]}", "not in both or none"),
        ("{all: [{any: [{metric: erors, above: 2%}]}]}", "did you mean `errors`?"),
        ("{any: [{metric: errors, above: 2%, abov: 2}]}", "did you mean `above`?"),
        ("{all: [{any: [{metric: errors, above: 2%, abov: 2}]}]}", "did you mean `above`?"),
    ],
)
def test_lists_that_are_too_deep_long_or_empty_say_so(when: str, said: str) -> None:
    with pytest.raises(ManifestError, match=re.escape(said)):
        load([("r.yaml", rule_text(when))])


@pytest.mark.parametrize(
    ("when", "more", "part"),
    [
        ("{metric: erors, above: 5%}", "", "did you mean `errors`?"),
        ("{metric: errors}", "", "this has none"),
        ("{metric: errors, above: 5%, below: 1%}", "", "this has above and below"),
        ("{metric: errors, above: '5'}", "", "is no number"),
        ("{metric: errors, above: .inf}", "", "is no number"),
        ("{metric: errors, above: 5%, window: 1s}", "", "a window is 10s to 1h"),
        ("{metric: errors, anomaly: high, sigmas: 1}", "", "greater than or equal to 3"),
        ("{metric: errors, above: 5%, of: everyone}", "", "none of candidate, baseline"),
        ("{all: [], any: []}", "", "not in both or none"),
        ("{any: [{metric: errors, above: 5%}], all: [{metric: errors, above: 5%}]}", "", "not in both or none"),
        ("{metric: errors, above: 5%}", "  labels: {Team: x}\n", "pattern"),
        ("{metric: errors, above: 5%}", "  severity: urgent\n", "none of page, ticket"),
        ("{metric: errors, above: 5%}", "  notify: [{slack: 'https://x/'}]\n", "put it into a file"),
        ("5", "", "Input should be"),
    ],
)
def test_a_rule_that_could_never_fire_as_meant_is_refused(when: str, more: str, part: str) -> None:
    with pytest.raises(ManifestError) as found:
        rule(when, more)
    assert part in str(found.value)


def test_a_rule_is_about_a_service_that_exists() -> None:
    manifests = load([("a.yaml", SERVICE + "---\n" + rule_text("{metric: errors, above: 5%}", service="sing"))])
    services = {each.name: each.spec for each in manifests if isinstance(each.spec, ServiceSpec)}
    (problem,) = check(manifests, services, {})
    assert "service sing does not exist; services: chat" in problem.message
