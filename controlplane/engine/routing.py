"""What a world means for traffic: routes for the proxies, policies for the sidecars, a place for one request. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.engine.world import NotFoundError, Service, World
from controlplane.rollout.model import Rollout, weight_bp_of
from controlplane.snapshot.model import Gateway, RolloutRoute, ServiceRoute
from serinus.contract.arm import Arm
from serinus.contract.policy import Assignment, CohortRule, HeaderLookup, ServicePolicy, evaluate
from serinus.contract.weight import arm_of_bucket, format_bp


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


def policies(world: World) -> tuple[ServicePolicy, ...]:
    """What the sidecars must know to tag requests."""
    return tuple(_policy(world, service) for _, service in sorted(world.services.items()))


def _policy(world: World, service: Service) -> ServicePolicy:
    active = world.active(service.name)
    baseline = active.baseline if active else service.baseline
    pins = {"baseline": baseline, "candidate": active.spec.candidate if active else ""}
    return ServicePolicy(
        service=service.name,
        salt=salt_of(world, service.name),
        baseline=baseline,
        sticky=service.spec.sticky,
        cohorts=tuple(
            CohortRule(
                name=cohort.name,
                header=cohort.match.header.name,
                exact=cohort.match.header.exact,
                prefix=cohort.match.header.prefix,
                one_of=cohort.match.header.one_of,
                pin=pins[cohort.pin],
            )
            for cohort in service.spec.cohorts
        ),
        observe_body=service.spec.observe.body,
        follow_up_ms=active.spec.pace.follow_up_ms if active else 0,
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request would go now, and by which rule."""

    assignment: Assignment
    version: str
    weight_bp: int
    rule: str


def place(world: World, service: str, headers: HeaderLookup) -> Placement:
    """The same answer that sidecar and route give together. Raises NotFoundError."""
    if service not in world.services:
        known = ", ".join(sorted(world.services)) or "none"
        raise NotFoundError(f"no service {service}; services: {known}", next_step="serinus get services")
    route = service_route(world, world.services[service])
    policy = _policy(world, world.services[service])
    assignment = evaluate(policy, headers)
    rollout = route.rollout
    weight_bp = rollout.weight_bp if rollout else 0
    pinned = {route.baseline} | ({rollout.candidate} if rollout and rollout.pins else set())
    if assignment.pin in pinned:
        return Placement(assignment, assignment.pin, weight_bp, f"cohort {assignment.cohort} is pinned to it")
    if rollout is None:
        return Placement(assignment, route.baseline, 0, "no rollout runs: everyone is on the baseline")
    if assignment.bucket is None:
        return Placement(assignment, route.baseline, weight_bp, "no sticky key: the baseline")
    is_candidate = arm_of_bucket(assignment.bucket, weight_bp) is Arm.CANDIDATE
    sign = "<" if is_candidate else ">="
    rule = f"bucket {assignment.bucket} {sign} {weight_bp} (weight {format_bp(weight_bp)})"
    return Placement(assignment, rollout.candidate if is_candidate else route.baseline, weight_bp, rule)
