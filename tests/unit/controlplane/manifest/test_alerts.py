"""A rollout listens to alerts of others only where its plan says so."""

import pytest

from controlplane.manifest.alerts import Alerts, OnFiring
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec
from tests.unit.controlplane.manifest.samples import ROLLOUT


def alerts_of(text: str) -> Alerts | None:
    (manifest,) = load([("r.yaml", ROLLOUT + text)])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec.alerts


def test_without_the_key_nobody_is_listened_to() -> None:
    assert alerts_of("") is None


def test_an_alert_holds_unless_the_plan_lets_it_roll_back() -> None:
    assert alerts_of("  alerts: {}\n") == Alerts()
    assert Alerts().on_firing is OnFiring.HOLD
    found = alerts_of("  alerts: {from: alertmanager, on_firing: rollback, stale_after: 10m}\n")
    assert found == Alerts.model_validate({"on_firing": "rollback", "stale_after": "10m"})
    assert found is not None
    assert found.stale_after_ms == 600_000


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{on_firing: promote}", "'promote' is none of hold, rollback"),
        ("{stale_after: 169h}", "at most 168h"),
        ("{stale_after: 0s}", "longer than 0s"),
        ("{from: pagerduty}", "alertmanager"),
        ("{on_fire: hold}", "did you mean `on_firing`?"),
    ],
)
def test_what_it_does_not_know_is_refused(text: str, part: str) -> None:
    with pytest.raises(ManifestError) as found:
        alerts_of(f"  alerts: {text}\n")
    assert part in str(found.value)
