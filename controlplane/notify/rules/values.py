"""What the metrics of rules are now, from the parts that know them. It reads and changes nothing."""

from controlplane.engine.alerting.series import REQUESTS_MIN, Counts
from controlplane.engine.runner import Engine
from controlplane.manifest.alert_rule import HELD, PROXIES, QUANTILES, REQUESTS, SERVER, SIDECARS_MISSING, WEIGHT, Arm
from controlplane.notify.watch import ORDINARY
from controlplane.rollout.model import Rollout, weight_bp_of
from controlplane.rollout.transition import Action
from controlplane.signals.signal import Signal
from serinus.contract.metric import ERRORS
from serinus.contract.weight import WEIGHT_TOTAL_BP


def value_of(engine: Engine, service: str, metric: str, arm: Arm, now_ms: int) -> float | Counts | None:
    """None: nobody can say."""
    rollout = engine.world.active(service)
    if metric in (SIDECARS_MISSING, PROXIES):
        nodes = engine.publisher.connected_nodes(service)
        missing = sum(not engine.registry.connected(node, now_ms) for node in nodes)
        return float(missing if metric == SIDECARS_MISSING else len(nodes))
    if metric in QUANTILES:
        return _quantile(engine, service, QUANTILES[metric], arm, now_ms)
    if metric in SERVER:
        return _server(engine, service, Signal(SERVER[metric]), arm, now_ms)
    if metric == HELD:
        return _held_s(engine, rollout, now_ms)
    if metric == WEIGHT:
        candidate = weight_bp_of(rollout) / WEIGHT_TOTAL_BP if rollout is not None else 0.0
        return candidate if arm is Arm.CANDIDATE else 1.0 - candidate
    return _counts(engine, rollout, ERRORS if metric == REQUESTS else metric, arm)


def _server(engine: Engine, service: str, signal: Signal, arm: Arm, now_ms: int) -> float | None:
    version = _version(engine, service, arm)
    return engine.signals.of(service, version, now_ms).reading.get(signal) if version else None


def _quantile(engine: Engine, service: str, of: tuple[str, float], arm: Arm, now_ms: int) -> float | None:
    """Seconds, of the newest whole minute; too few requests are a matter of luck."""
    version = _version(engine, service, arm)
    counts = engine.registry.history.newest(service, version, now_ms) if version else None
    if counts is None or sum(counts.bins.get(of[0], {}).values()) < REQUESTS_MIN:
        return None
    found = counts.quantile(*of)
    return found / 1_000_000 if found is not None else None


def _version(engine: Engine, service: str, arm: Arm) -> str:
    """Without a rollout there is the baseline in force, and no candidate."""
    known, rollout = engine.world.services.get(service), engine.world.active(service)
    if rollout is not None:
        return rollout.spec.candidate if arm is Arm.CANDIDATE else rollout.baseline
    return known.baseline if known is not None and arm is Arm.BASELINE else ""


def _held_s(engine: Engine, rollout: Rollout | None, now_ms: int) -> float:
    """For how long the reason of now has held it; 0 where nothing does that should not."""
    last = engine.last.get(rollout.name) if rollout is not None else None
    if last is None or last.decision.action is not Action.HOLD or last.decision.code in ORDINARY:
        return 0.0
    return max(now_ms - last.written_at_ms, 0) / 1_000


def _counts(engine: Engine, rollout: Rollout | None, metric: str, arm: Arm) -> Counts | None:
    """Of the judge's path. A metric by which this rollout is not judged has none."""
    tracker = engine.trackers.get(rollout.name) if rollout is not None else None
    samples = tracker.samples() if tracker is not None else []
    row = next((each for each in samples[-1].metrics if each.metric == metric), None) if samples else None
    if row is None:
        return None
    if arm is Arm.CANDIDATE:
        return Counts(row.candidate_requests, row.candidate_bad)
    return Counts(row.baseline_requests, row.baseline_bad)
