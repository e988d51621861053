"""What the traffic of a new rollout's service says of its plan: the ladder of `steps: auto`, and what will not work.

A ladder is derived once, when a rollout is first applied, and kept: its record says what was done, and the same file
applied again changes nothing. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from controlplane.engine.world import World
from controlplane.evidence.outlook import DAY_S, Ask, Traffic, outlook
from controlplane.evidence.planning import steps_auto, users_of_a_day
from controlplane.ingest.traffic import Measured, TrafficBook
from controlplane.manifest.errors import ManifestError, Problem
from controlplane.manifest.load import Manifest
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.manifest.units import in_time
from serinus.contract.metric import ERRORS
from serinus.contract.request import StickyKind
from serinus.contract.weight import format_bp

# Stands for `steps: auto` until the list is derived.
PLACEHOLDER = ("100%",)
# Less says nothing of rates.
SECONDS_MIN = 30
REQUESTS_MIN = 100


def is_auto(manifest: Manifest) -> bool:
    return isinstance(manifest.spec, RolloutSpec) and bool(manifest.data.get("steps") == "auto")


def is_by_request(service: ServiceSpec) -> bool:
    """Each request is a key of its own."""
    return service.sticky[0].kind is StickyKind.REQUEST


def budget_bp_of(spec: RolloutSpec) -> int:
    """What the errors of all traffic may grow by."""
    margin_bp = next((guardrail.margin_bp for guardrail in spec.guardrails if guardrail.metric == ERRORS), None)
    return spec.harm_budget_bp if margin_bp is None else margin_bp


def ladder(spec: RolloutSpec, traffic: Traffic) -> tuple[int, ...]:
    """`steps: auto` under this traffic, basis points."""
    return steps_auto(
        users=traffic.users or max(1, int(traffic.rps * DAY_S)),
        rps=traffic.rps,
        rate=traffic.error_rate,
        budget_bp=budget_bp_of(spec),
        alpha=spec.confidence.advance_alpha,
        min_step_s=spec.pace.min_step_ms / 1_000,
    )


def ask_of(spec: RolloutSpec, steps_bp: tuple[int, ...]) -> Ask:
    return Ask(
        steps_bp,
        budget_bp_of(spec),
        spec.confidence.rollback_alpha,
        spec.confidence.advance_alpha,
        1.0 / sum(not guardrail.dry_run for guardrail in spec.guardrails),
        spec.pace.min_step_ms / 1_000,
        spec.pace.deadline_ms / 1_000,
        spec.warm_up_ms / 1_000,
        spec.bake.for_ms / 1_000 if spec.bake is not None else 0.0,
    )


def with_steps(
    manifests: Sequence[Manifest], world: World, book: TrafficBook, now_slot: int
) -> tuple[list[Manifest], Mapping[str, str]]:
    """The manifests with every `auto` replaced, and what new rollouts should be told, by name. Raises ManifestError."""
    services = world.specs_with(manifests)
    done: list[Manifest] = []
    notes: dict[str, str] = {}
    problems: list[Problem] = []
    for manifest in manifests:
        spec, before = manifest.spec, world.rollouts.get(manifest.name)
        service = services.get(spec.service) if isinstance(spec, RolloutSpec) else None
        try:
            if not isinstance(spec, RolloutSpec) or service is None:
                done.append(manifest)  # a rollout of no service is refused where all references are looked at
            elif before is not None:
                done.append(_listed(manifest, before.data["steps"]) if is_auto(manifest) else manifest)
            else:
                planned, notes[manifest.name] = _planned(manifest, spec, service, book.of(spec.service, now_slot))
                done.append(planned)
        except ManifestError as error:
            problems += error.problems
    if problems:
        raise ManifestError(problems)
    return done, notes


def _planned(
    manifest: Manifest, spec: RolloutSpec, service: ServiceSpec, measured: Measured | None
) -> tuple[Manifest, str]:
    """Of a new rollout: with its list, and what it should be told. Raises ManifestError."""
    if missing := _missing(spec, service, measured):
        if is_auto(manifest):
            raise _refused(manifest, missing)
        return manifest, ""
    assert measured is not None, "that is missing"
    users = None if is_by_request(service) else _users(measured)
    traffic, said = Traffic(measured.rps, measured.error_rate, users), []
    if is_auto(manifest):
        of = _in_words(measured, users)
        steps = _derived(manifest, spec, traffic, of)
        manifest = _listed(manifest, steps)
        said.append(f"steps [{', '.join(steps)}], from {of}")
    assert isinstance(manifest.spec, RolloutSpec)
    found = outlook(ask_of(manifest.spec, manifest.spec.steps_bp), traffic)
    return manifest, "\n".join([*said, *(f"warning: {warning}" for warning in found.warnings)])


def _missing(spec: RolloutSpec, service: ServiceSpec, measured: Measured | None) -> str:
    """What is not known of the traffic; "" if it says enough."""
    if measured is None or measured.seconds < SECONDS_MIN or measured.requests < REQUESTS_MIN or not measured.rps:
        have = f"{measured.requests} requests in {in_time(measured.seconds)}" if measured else "no request"
        return (
            f"`auto` comes from the traffic of service {spec.service}, which had {have} so far; "
            f"it needs {REQUESTS_MIN} requests and {in_time(SECONDS_MIN)}, some of it lately; next: wait, or write the "
            "list that `serinus plan -f FILE --rps N --users N` gives"
        )
    if not measured.keys and not is_by_request(service):
        unknown = f"`auto` needs users: none of {measured.requests} requests of service {spec.service} had a sticky key"
        return f"{unknown} that a sidecar saw"
    return ""


def _derived(manifest: Manifest, spec: RolloutSpec, traffic: Traffic, of: str) -> list[str]:
    """The ladder. Raises ManifestError: a first step above the harm budget is a person's to take, since nothing asks
    before it."""
    steps_bp, budget_bp = ladder(spec, traffic), budget_bp_of(spec)
    if steps_bp[0] > budget_bp:
        raise _refused(
            manifest,
            f"`auto` would begin at {format_bp(steps_bp[0])}, above the harm budget of {format_bp(budget_bp)}: on a "
            f"smaller step are too few users to convict a broken version ({of}); next: make keys of sessions or "
            "requests (`sticky: request`), or write the steps yourself",
        )
    return [format_bp(step) for step in steps_bp]


def _refused(manifest: Manifest, message: str) -> ManifestError:
    return ManifestError([manifest.problem(("steps",), message)])


def _users(measured: Measured) -> int:
    return users_of_a_day(
        distinct=min(measured.keys, measured.requests),
        requests=measured.requests,
        requests_a_day=measured.requests / measured.seconds * DAY_S,
    )


def _in_words(measured: Measured, users: int | None) -> str:
    rates = f"{measured.rps:.3g} requests/s, {measured.error_rate:.3%} of them failing"
    if users is None:
        return f"{rates}, each a key of its own"
    return f"{rates}, about {users} users a day ({measured.keys:.0f} in {in_time(measured.seconds)})"


def _listed(manifest: Manifest, steps: Sequence[str]) -> Manifest:
    """With a list in place of `auto`. Raises ManifestError if the rest of the plan does not fit it."""
    data = {**manifest.data, "steps": steps}
    try:
        return replace(manifest, spec=RolloutSpec.model_validate(data), data=data)
    except ValidationError as error:
        raise _refused(manifest, f"`auto` gives [{', '.join(steps)}]: {error.errors()[0]['msg']}") from None
