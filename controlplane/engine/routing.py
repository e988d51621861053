"""What a world means for traffic: routes for the proxies, policies for the sidecars, a place for one request. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.engine.words import in_words
from controlplane.engine.world import NotFoundError, Service, World
from controlplane.errors import SerinusError
from controlplane.manifest.cohort import Cohort
from controlplane.rollout.model import Rollout, weight_bp_of
from controlplane.snapshot.model import Gateway, RolloutRoute, ServiceRoute
from controlplane.snapshot.weight_classes import class_of, everyone
from serinus.contract.arm import Arm
from serinus.contract.condition import MissingFileError, Surroundings
from serinus.contract.policy import Assignment, CohortRule, FeedbackPolicy, ServicePolicy, TokenPolicy, evaluate
from serinus.contract.request import HeaderLookup
from serinus.contract.weight import WEIGHT_TOTAL_BP, arm_of_bucket, format_bp


def salt_of(world: World, service: str) -> str:
    """The rollout's name deals users anew for each release; without one the salt decides nothing."""
    active = world.active(service)
    return active.name if active else service


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """What a group of proxies is to serve, and where. `nodes`: patterns of the node ids that may join; none: any."""

    gateway: Gateway
    routes: tuple[ServiceRoute, ...]
    nodes: tuple[str, ...] = ()


class RouteBook:
    """What the proxies must serve. A service in which nothing moved has the very route that it had: what is built from
    routes then finds out at a glance that nothing is to be done.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Service, Rollout | None, ServiceRoute]] = {}

    def routes(self, world: World) -> tuple[ServiceRoute, ...]:
        """All groups together, by name."""
        self._known = {name: self._entry(world, service) for name, service in world.services.items()}
        return tuple(route for _, (_, _, route) in sorted(self._known.items()))

    def _entry(self, world: World, service: Service) -> tuple[Service, Rollout | None, ServiceRoute]:
        known, active = self._known.get(service.name), world.active(service.name)
        if known is not None and known[0] is service and known[1] is active:
            return known
        return service, active, service_route(world, service)


def group_targets(world: World, routes: Sequence[ServiceRoute], gateway: Gateway) -> Mapping[str, GroupTarget]:
    """By group. `gateway` is how the process was told to serve; a ProxyGroup says where its own proxies listen."""
    targets = {}
    for name in sorted(world.group_names):
        served = tuple(route for route in routes if route.spec.is_served_by(name))
        group = world.groups.get(name)
        if group is None:
            targets[name] = GroupTarget(gateway, served)
            continue
        listen = group.spec.listen
        own = replace(gateway, listen_host=listen.host, listen_port=listen.port)
        targets[name] = GroupTarget(own, served, group.spec.nodes or ())
    return targets


def service_route(world: World, service: Service) -> ServiceRoute:
    """One service as the proxies must serve it."""
    active = world.active(service.name)
    rollout = None
    if active is not None:
        weight_bp = weight_bp_of(active)
        rollout = RolloutRoute(active.name, active.spec.candidate, weight_bp, pins=_pins(active))
    baseline = active.baseline if active else service.baseline
    return ServiceRoute(service.name, service.spec, baseline, salt_of(world, service.name), rollout)


def _pins(rollout: Rollout) -> bool:
    """Pinned cohorts reach the candidate from the first step on, and leave it with everybody else."""
    return weight_bp_of(rollout) > 0


def policies(world: World, feedback_key: bytes = b"") -> tuple[ServicePolicy, ...]:
    """What the sidecars must know to tag requests. Without a key of the installation nothing is signed."""
    return tuple(
        replace(_policy(world, service), feedback=_feedback(service, feedback_key))
        for _, service in sorted(world.services.items())
    )


def _policy(world: World, service: Service) -> ServicePolicy:
    active = world.active(service.name)
    baseline = active.baseline if active else service.baseline
    candidate = active.spec.candidate if active else ""
    return ServicePolicy(
        service=service.name,
        salt=salt_of(world, service.name),
        baseline=baseline,
        sticky=service.spec.sticky,
        cohorts=tuple(
            CohortRule(
                cohort.name,
                cohort.condition(service.name),
                cohort.version(baseline=baseline, candidate=candidate),
            )
            for cohort in service.spec.cohorts
        ),
        observe_body=service.spec.observe.is_on,
        observe_sampled=service.spec.observe.sample_bp < WEIGHT_TOTAL_BP,
        follow_up_ms=active.spec.pace.follow_up_ms if active else 0,
        tokens=_tokens(service, (baseline, candidate)),
        slices=tuple(each.dimension(service.name) for each in service.spec.slices),
    )


def _feedback(service: Service, key: bytes) -> FeedbackPolicy | None:
    feedback = service.spec.feedback
    return FeedbackPolicy(key, feedback.token_file or "") if feedback is not None and key else None


def _tokens(service: Service, in_force: Sequence[str]) -> TokenPolicy | None:
    tokens = service.spec.tokens
    return TokenPolicy(tokens.key_file, tuple(filter(None, in_force))) if tokens is not None else None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request would go now, and by which rule. `weight_bp` is the candidate's in its weight class."""

    assignment: Assignment
    version: str
    weight_bp: int
    rule: str


class FileNotHereError(SerinusError):
    """What decides is in a file that only the sidecars hold: ids, places, the keys of testers' tokens."""

    code = "file_not_here"


def place(world: World, service: str, headers: HeaderLookup, around: Surroundings) -> Placement:
    """The same answer that sidecar and route give together. Raises NotFoundError, FileNotHereError."""
    if service not in world.services:
        known = ", ".join(sorted(world.services)) or "none"
        raise NotFoundError(f"no service {service}; services: {known}", next_step="serinus get services")
    route = service_route(world, world.services[service])
    policy = _policy(world, world.services[service])
    try:
        assignment = evaluate(policy, headers, around)
    except MissingFileError as error:
        message = f"what decides is the file {error.name}, which only the sidecars hold"
        raise FileNotHereError(message, next_step="look into that file of a sidecar's policy folder") from None
    rule = next((rule for rule in route.spec.cohorts if rule.name == assignment.cohort), None)
    apart = class_of(route, rule) if rule is not None else None
    weight_bp = (apart or everyone(route)).weight_bp
    met = _rule_met(route, rule) if rule is not None else ""
    pinned = {route.baseline} | ({route.rollout.candidate} if route.rollout and route.rollout.pins else set())
    if assignment.pin in pinned:
        why = met or f"cohort {assignment.cohort} is pinned to it"
        return Placement(assignment, assignment.pin, weight_bp, f"no sticky key: the baseline; {why}" if apart else why)
    version, why = _placed(route, assignment, weight_bp)
    if apart is not None:
        return Placement(assignment, version, weight_bp, f"{why}; {met}")
    return Placement(assignment, version, weight_bp, f"{why}; not in force now: {met}" if met else why)


def _rule_met(route: ServiceRoute, rule: Cohort) -> str:
    """The rule of a cohort, in words."""
    does = "excluded, so on the baseline" if rule.exclude else "pinned to it"
    if rule.weight_factor is not None:
        does = f"dealt by {rule.weight_factor} times the weight"
    number = route.spec.cohorts.index(rule) + 1
    return f"cohort {rule.name} is {does}: rule {number}, {in_words(rule.condition(route.name))}"


def _placed(route: ServiceRoute, assignment: Assignment, weight_bp: int) -> tuple[str, str]:
    """Version and reason of a request that no pin in force places. `weight_bp` is that of its weight class."""
    rollout = route.rollout
    if rollout is None:
        return route.baseline, "no rollout runs: everyone is on the baseline"
    if assignment.bucket is None:
        return route.baseline, "no sticky key: the baseline"
    is_candidate = arm_of_bucket(assignment.bucket, weight_bp) is Arm.CANDIDATE
    sign = "<" if is_candidate else ">="
    rule = f"bucket {assignment.bucket} {sign} {weight_bp} (weight {format_bp(weight_bp)})"
    return rollout.candidate if is_candidate else route.baseline, rule
