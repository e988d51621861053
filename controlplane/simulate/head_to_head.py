"""Policies against worlds: the same seed for each, thousands of rollouts at once, counts of what happened.

Rolled back where the versions are alike it is a false alarm; exposure is the candidate's requests until then. Paths run
in blocks, each with users of its own, so that no result hangs on one population.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from controlplane.errors import SerinusError
from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.simulate.policies.policy import RAMP_BP, STEP_S, Policy
from controlplane.simulate.policies.rank_sum import RankSumPolicy
from controlplane.simulate.policies.serinus import SerinusPolicy
from controlplane.simulate.policies.success_rate import ARGO_FAILURES, FLAGGER_FAILURES, SuccessRatePolicy
from controlplane.simulate.policies.z_peek import ZPeekPolicy
from controlplane.simulate.trace import Trace
from controlplane.simulate.traffic import Traffic
from controlplane.simulate.worlds import LATE_S, World, world_of

JUDGES = ("serinus", "serinus-reactive", "flagger", "argo", "kayenta", "mann-whitney", "z-peek")
SECONDS = STEP_S * len(RAMP_BP)
_BLOCK = 250
ROLLOUTS_MAX = 100_000


class JudgeNameError(SerinusError):
    """No such policy."""

    code = "invalid_judge"


@dataclass(frozen=True, slots=True)
class Setting:
    world: str
    rps: float
    baseline_errors: float
    candidate_errors: float
    rollouts: int
    seed: int
    alpha: float = 0.05
    trace: Trace | None = None  # its load, scaled to `rps` on average; None: always `rps`


@dataclass(frozen=True, slots=True)
class Result:
    """Of all rollouts. Medians are over those rolled back (in `late`, over those after the onset); None without any."""

    judge: str
    rollback_share: float
    rollback_share_error: float  # one standard error
    early_share: float  # rolled back before the candidate differed
    median_requests: float | None
    median_seconds: float | None
    promoted_share: float  # within the ramp
    median_seconds_to_promote: float | None


def run(judge: str, setting: Setting, progress: Callable[[int], None] = lambda _: None) -> Result:
    """Raises JudgeNameError, WorldError. `progress` hears how many rollouts are done."""
    if judge not in JUDGES:
        raise JudgeNameError(f"no judge {judge!r}", next_step=f"one of {', '.join(JUDGES)}")
    if not 0 < setting.rollouts <= ROLLOUTS_MAX:
        raise JudgeNameError(f"{setting.rollouts} rollouts", next_step=f"1 to {ROLLOUTS_MAX}")
    blocks = []
    for first in range(0, setting.rollouts, _BLOCK):
        # Blocks are seeded by their number: a longer run begins with the shorter one.
        rng = np.random.default_rng([setting.seed, first // _BLOCK])
        world = world_of(
            setting.world,
            rps=setting.rps,
            baseline=setting.baseline_errors,
            candidate=setting.candidate_errors,
            seconds=SECONDS,
            rng=rng,
        )
        if setting.trace is not None:
            world = replace(world, load=setting.trace.load(SECONDS, rng))
        paths = min(_BLOCK, setting.rollouts - first)
        blocks.append(_play(world, policy_of(judge, world, paths, setting.alpha), paths, rng))
        progress(first + paths)
    ended, served, promoted = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return _result(judge, setting, ended, served, promoted)


def policy_of(judge: str, world: World, paths: int, alpha: float) -> Policy:
    match judge:
        case "flagger":
            return SuccessRatePolicy(paths, failures=FLAGGER_FAILURES, holds=True)
        case "argo":
            return SuccessRatePolicy(paths, failures=ARGO_FAILURES, holds=False)
        case "kayenta":
            return RankSumPolicy(paths, is_kayenta=True)
        case "mann-whitney":
            return RankSumPolicy(paths, is_kayenta=False)
        case "z-peek":
            return ZPeekPolicy(paths)
        case _:
            return SerinusPolicy(
                paths,
                alpha=alpha,
                users=0 if world.users is None else len(world.users.shares),
                follow_up_s=0 if world.stream_s is None else world.stream_s[1],
                is_reactive=judge == "serinus-reactive",
            )


def _play(world: World, policy: Policy, paths: int, rng: np.random.Generator) -> tuple[Ints, Floats, Bools]:
    """Per path: the seconds until the rollback (0: none), the candidate's requests until then, and whether promoted.

    In `late` worlds requests are counted from the onset."""
    traffic = Traffic(world, paths, rng)
    ended: Ints = np.zeros(paths, dtype=np.int64)
    served: Floats = np.zeros(paths)
    onset = onset_of(world)
    for second in range(world.seconds):
        seen = traffic.draw(policy.weight_bp)
        is_live: Bools = ended == 0
        if second >= onset:
            served[is_live] += seen.started[1].n[is_live]
        ended[policy.observe(second, seen) & is_live] = second + 1
        if ended.all():
            break
    return ended, served, policy.promoted() & (ended == 0)


def onset_of(world: World) -> int:
    """The first second in which the versions differ; 0 if they never do."""
    differs = world.baseline != world.candidate
    return int(np.argmax(differs)) if differs.any() else 0


def _result(judge: str, setting: Setting, ended: Ints, served: Floats, promoted: Bools) -> Result:
    onset = LATE_S if setting.world == "late" and setting.candidate_errors != setting.baseline_errors else 0
    is_early = (ended > 0) & (ended <= onset)
    is_found = ended > onset
    share = float(is_found.mean())
    return Result(
        judge=judge,
        rollback_share=share,
        rollback_share_error=float(np.sqrt(share * (1.0 - share) / len(ended))),
        early_share=float(is_early.mean()),
        median_requests=float(np.median(served[is_found])) if is_found.any() else None,
        median_seconds=float(np.median(ended[is_found] - onset)) if is_found.any() else None,
        promoted_share=float(promoted.mean()),
        median_seconds_to_promote=float(SECONDS) if promoted.any() else None,
    )
