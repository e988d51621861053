"""The demo's manifests are what they are printed as: valid, and honest about their budgets."""

import pytest

from controlplane.local.demo.acts import ACTS, BAD, GOOD, Act, rollout_manifest, service_manifest
from controlplane.manifest.load import load
from controlplane.manifest.rules import check
from controlplane.manifest.schema import RolloutSpec, ServiceSpec

ENDPOINTS = {"v1": "127.0.0.1:8001", "v2": "127.0.0.1:8002", "v3": "127.0.0.1:8003"}


@pytest.mark.parametrize("act", ACTS["all"])
def test_the_manifests_of_an_act_are_valid_together(act: Act) -> None:
    manifests = load([("demo.yaml", f"{service_manifest(act, ENDPOINTS)}---\n{rollout_manifest(act)}")])
    service, rollout = (manifest.spec for manifest in manifests)
    assert isinstance(service, ServiceSpec)
    assert isinstance(rollout, RolloutSpec)
    assert check(manifests, {"chat": service}, {}) == []
    assert (service.baseline, rollout.candidate) == (act.baseline, act.candidate)


def test_the_rollout_judges_errors_and_a_content_signal_with_the_budgets_it_prints() -> None:
    (manifest,) = load([("demo.yaml", rollout_manifest(GOOD))])
    assert isinstance(manifest.spec, RolloutSpec)
    assert manifest.spec.steps_bp == (1000, 5000, 10000)
    assert manifest.spec.harm_budget_bp == 500
    assert {row.metric_id: row.margin_bp for row in manifest.spec.guardrails} == {
        "errors": None,
        "finish_reason:length": 2000,
    }


def test_the_second_act_goes_on_where_the_first_ended() -> None:
    assert BAD.baseline == GOOD.candidate
    assert (GOOD.ends, BAD.ends) == ("promoted", "rolled_back")
