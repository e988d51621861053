"""What was known of a rollout while one of its weights was in force: for `explain --at`. Pure."""

from collections.abc import Iterator

from controlplane.manifest.units import parse_percent_bp
from serinus.contract.weight import format_bp
from serinus.v1 import admin_pb2


def weight_of(text: str, view: admin_pb2.RolloutView) -> int:
    """A step by its number from 1, or by its weight as the manifest has it. Raises ValueError that names them."""
    steps = list(view.steps_bp)
    known = ", ".join(f"{number} ({format_bp(step_bp)})" for number, step_bp in enumerate(steps, 1))
    if text.isdecimal() and 1 <= int(text) <= len(steps):
        return steps[int(text) - 1]
    try:
        weight_bp = parse_percent_bp(text)
    except ValueError:
        weight_bp = -1
    if weight_bp not in steps:
        raise ValueError(f"{text!r} is no step of {view.name}; steps: {known}")
    return weight_bp


def sentences(told: admin_pb2.ExplainResponse, weight_bp: int) -> Iterator[str]:
    """The window of the data, each metric's counts and evidence at its end, and the decisions that fell within."""
    view, started_ms = told.rollout, told.rollout.started_at_ms
    # While the last step bakes its weight is less what is held back.
    before_bp = max((step_bp for step_bp in view.steps_bp if step_bp < weight_bp), default=0)
    samples = [sample for sample in told.samples if before_bp < sample.weight_bp <= weight_bp]
    if not samples:
        yield f"at {format_bp(weight_bp)}: nothing was judged (not begun, or gone by before a second had closed)"
        return
    first_ms, last_ms = samples[0].at_ms, samples[-1].at_ms + 1000
    window = f"from {_at(first_ms, started_ms)} to {_at(last_ms, started_ms)} after the start"
    yield f"at {format_bp(weight_bp)}: judged {window}"
    yield f"observed share of the candidate's users: {100 * samples[-1].observed_ratio:.1f}%"
    for row in samples[-1].metrics:
        yield (
            f"{row.metric}: since the start candidate {row.candidate_bad} of {row.candidate_requests} requests, "
            f"baseline {row.baseline_bad} of {row.baseline_requests}; "
            f"evidence (ln) worse {row.worse_log_e:.1f}, good enough {row.good_log_e:.1f}"
        )
    later = [event.at_ms for event in told.events if event.at_ms >= last_ms and event.action != "hold"]
    until_ms = min(later, default=last_ms)
    for event in told.events:
        if first_ms <= event.at_ms <= until_ms:
            yield f"{_at(event.at_ms, started_ms)}  {event.action or view.phase}: {event.text}"


def _at(at_ms: int, started_ms: int) -> str:
    return f"{(at_ms - started_ms) / 1000:.1f} s"
