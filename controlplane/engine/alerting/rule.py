"""An alert rule as applied, and what an apply or a deletion does to all of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.manifest.alert_rule import RULES_MAX, AlertRuleSpec
from controlplane.manifest.errors import Problem
from controlplane.manifest.load import Manifest

KIND = "AlertRule"


@dataclass(frozen=True, slots=True)
class AlertRule:
    name: str
    spec: AlertRuleSpec
    data: dict[str, Any]


def rules_with(rules: Mapping[str, AlertRule], manifests: Sequence[Manifest]) -> Mapping[str, AlertRule]:
    """As they would be with these applied."""
    found = {each.name: each for each in manifests if isinstance(each.spec, AlertRuleSpec)}
    return {**rules, **{name: _rule(each) for name, each in found.items()}}


def too_many(rules: Mapping[str, AlertRule], manifests: Sequence[Manifest]) -> list[Problem]:
    added = [each for each in manifests if isinstance(each.spec, AlertRuleSpec) and each.name not in rules]
    if not added or len(rules) + len(added) <= RULES_MAX:
        return []
    return [added[-1].problem((), f"there are more than {RULES_MAX} alert rules; next: delete some, or use Prometheus")]


def _rule(manifest: Manifest) -> AlertRule:
    assert isinstance(manifest.spec, AlertRuleSpec), "the caller chose them"
    return AlertRule(manifest.name, manifest.spec, manifest.data)
