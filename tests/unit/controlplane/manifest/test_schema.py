"""Plans of rollouts as manifests say them: what cannot be is refused with words that say what to write."""

import pytest

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.schema import Observe, RolloutSpec
from tests.unit.controlplane.manifest.samples import ROLLOUT


def spec_with(line: str) -> RolloutSpec:
    (manifest,) = load([("r.yaml", f"{ROLLOUT}  {line}\n")])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec


def test_a_bake_holds_users_back_in_the_last_step_alone() -> None:
    assert spec_with("bake: {for: 10m}").weights_bp == (1000, 5000, 9900)
    assert spec_with("bake: {for: 10m, holdback: 0%}").weights_bp == (1000, 5000, 10_000)
    assert spec_with("warm_up: 0s").weights_bp == (1000, 5000, 10_000)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("bake: {holdback: 1%}", "`for` is missing"),
        ("bake: {for: 0s}", "longer than 0s"),
        ("bake: {for: 10m, holdback: 50%}", "must leave the last step above the one before it"),
        ("bake: {for: 24h}", "could never end"),
        ("bake: {for: 10m, hold: 1%}", "did you mean `holdback`?"),
        ("approvals: {before: [20%]}", "approvals name 20%, which is none of the steps"),
        ("approvals: {before: []}", "at least 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(line: str, part: str) -> None:
    with pytest.raises(ManifestError) as caught:
        spec_with(line)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("sample", "expected_bp"),
    [("10%", 1_000), (0.1, 1_000), ("0%", 0), (0, 0), (1.0, 10_000), (1, 10_000), (0.29, 2_900)],
)
def test_a_sample_is_a_percentage_or_a_share_of_one(sample: object, expected_bp: int) -> None:
    observe = Observe.model_validate({"body": True, "sample": sample})
    assert (observe.sample_bp, observe.is_on) == (expected_bp, expected_bp > 0)
    assert not Observe.model_validate({"sample": sample}).is_on


@pytest.mark.parametrize("sample", [10, -0.1, True, "0.1", "101%", "0.001%", 0.00001, None, [1], float("nan")])
def test_a_sample_of_another_form_is_refused(sample: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of any cause
        Observe.model_validate({"body": True, "sample": sample})
