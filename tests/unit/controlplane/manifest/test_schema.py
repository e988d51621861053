"""Plans of rollouts as manifests say them: what cannot be is refused with words that say what to write."""

import pytest

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec
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
