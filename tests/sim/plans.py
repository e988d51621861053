"""The plans of a simulation: one metric, three steps, and what people may put around them."""

import functools

from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.rollout.model import Preparing, Rollout
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

NAME = "chat-v2"
T0_MS = 1_700_000_025_000  # 2023-11-14 22:13:45 UTC: a freeze of that minute covers the first 15 s
# From and until when a freeze lasts, beside its line in the plan: the oracle reads no cron.
FREEZES = {
    "freeze_first": ("13 22 * * *", T0_MS - 45_000, T0_MS + 15_000),
    "freeze_later": ("14 22 * * *", T0_MS + 15_000, T0_MS + 75_000),
}
BAKE_MS, DEADLINE_MS, MIN_STEP_MS, SLOW_STEP_MS, HOLDBACK_BP = 3_000, 14_000, 2_000, 6_000, 500
APPROVED_BP = (5_000,)
FEATURES = (
    "hooks",
    "bake",
    "approvals",
    "freeze_first",
    "freeze_later",
    "deadline_hold",
    "deadline_rollback",
    "slow",
    "short",
)
_HOOK = {"url": "http://127.0.0.1:9000/gate"}
_PACE = {"min_step": f"{MIN_STEP_MS // 1000}s", "follow_up": "1s"}
_LINES: dict[str, dict[str, object]] = {
    "hooks": {"hooks": {kind: [_HOOK] for kind in ("before_start", "before_step", "after_promote", "after_rollback")}},
    "short": {"steps": ["50%", "100%"]},
    "bake": {"bake": {"for": f"{BAKE_MS // 1000}s", "holdback": f"{HOLDBACK_BP // 100}%"}},
    "approvals": {"approvals": {"before": [f"{bp // 100}%" for bp in APPROVED_BP]}},
    **{
        name: {"freeze": [{"cron": cron, "for": "1m", "timezone": "UTC"}]}
        for name, (cron, _, _) in FREEZES.items()
    },
}  # fmt: skip
_PACES = {
    "slow": {"min_step": f"{SLOW_STEP_MS // 1000}s"},
    **{
        f"deadline_{action}": {"deadline": f"{DEADLINE_MS // 1000}s", "on_deadline": action}
        for action in ("hold", "rollback")
    },
}


@functools.cache
def _base() -> dict[str, object]:
    (manifest,) = load([("r.yaml", ROLLOUT)])
    return {**manifest.data, "guardrails": [{"metric": "errors", "margin": "50pp"}]}


@functools.cache
def service_spec() -> ServiceSpec:
    (manifest,) = load([("s.yaml", SERVICE)])
    assert isinstance(manifest.spec, ServiceSpec)
    return manifest.spec


@functools.cache
def rollout_spec(features: frozenset[str]) -> RolloutSpec:
    data, pace = _base(), dict(_PACE)
    for name in FEATURES:
        data = {**data, **_LINES.get(name, {})} if name in features else data
        pace |= _PACES[name] if name in features and name in _PACES else {}
    return RolloutSpec.model_validate({**data, "pace": pace})


def begun(spec: RolloutSpec) -> Rollout:
    """As an apply leaves it."""
    return Rollout(NAME, spec, "v1", T0_MS, 1, Preparing(T0_MS))
