"""What must hold of a stream and its Envoy at each step, and in the end. Where the two differ, Envoy's side counts."""

from collections.abc import Mapping

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST, Resource, ResourceSet
from controlplane.xds.events import Accepted, DeltaRequest, DeltaSend, Ignored, Lingered, Published, Request
from tests.unit.controlplane.xds.exploring import State, Step, World, answers, step
from tests.unit.controlplane.xds.model_envoy import Envoy, Response

ROUNDS_MAX = 60


def drained(world: World, state: State, envoy: Envoy, *, is_willing: bool) -> tuple[State, Envoy]:
    """It asks for everything that it has not asked for yet, and answers everything: yes, or no to all of it."""
    for type_url, names in world.asks:
        if type_url not in state.types:
            taken = step(world, state, world.side.first(type_url, names, envoy), envoy)
            state, envoy = taken.after, taken.envoy
    for _ in range(ROUNDS_MAX):
        if envoy.inbox:
            # Envoy answers to clusters when they are warm: last.
            letter = min(envoy.inbox, key=lambda letter: letter.send.type_url == CLUSTER)
            if letter.send.type_url == CLUSTER and len(envoy.inbox) == 1:
                assert not _owed(state, envoy), "no cluster waits for endpoints that there are"
            choices = answers(world, letter, envoy)
            event, then = choices[0] if is_willing or len(choices) == 1 else choices[1]
        elif state.lingering:
            event, then = Lingered(min(state.lingering)), envoy
        else:
            return state, envoy
        taken = step(world, state, event, then)
        check(world, taken)
        state, envoy = taken.after, taken.envoy
    raise AssertionError("an Envoy that answers everything comes to rest")


def _owed(state: State, envoy: Envoy) -> frozenset[str]:
    """The endpoints that Envoy waits for: those of changed clusters, sent before or never."""
    endpoints = state.types.get(ENDPOINT)
    if endpoints is None or state.target is None:
        return frozenset()
    known = endpoints.subscription.of(state.target.of_type(ENDPOINT)).names - endpoints.refused.names
    return envoy.cold & known


def check(world: World, taken: Step) -> None:
    """What holds at each step, whatever happens."""
    sent = taken.sent
    if taken.after.target is None:
        assert not sent, "nothing before the first snapshot"
    assert len({send.type_url for send in sent}) == len(sent), "one response of a type at a time"
    for send in sent:
        assert int(send.nonce) > taken.before.responses, "a nonce is used once"
        items = send.changed if isinstance(send, DeltaSend) else tuple(send.resources)
        assert not any(item.is_opaque for item in items), "what is not known cannot be sent"
        _check_under_way(world, taken, send)
        _check_refused(taken, send, items)
        _check_clusters(world, taken, send, items)
    for effect in taken.effects:
        if isinstance(effect, Ignored):
            assert not sent, "what is ignored has no consequences"
        elif isinstance(effect, Accepted):
            _check_accepted(taken, effect)
    is_lost = world.side.is_whole and taken.envoy.is_forgotten
    assert is_lost or not taken.envoy.missing_clusters(), "every cluster that a running route names is there"


def _check_under_way(world: World, taken: Step, send: Response) -> None:
    """A second response goes out only over one that is overdue: of clusters."""
    before = taken.before.types.get(send.type_url)
    if before is None or not world.side.is_pending(before):
        return
    is_answered = isinstance(taken.event, Request | DeltaRequest) and taken.event.type_url == send.type_url
    assert is_answered or send.type_url == CLUSTER


def _check_refused(taken: Step, send: Response, items: tuple[Resource, ...]) -> None:
    """A refused resource is not sent again unchanged, and what Envoy chokes on is settled by the next response."""
    if send.type_url != CLUSTER:
        return
    assert not taken.envoy.said_no & frozenset(items), "a refused cluster is not sent again until its content changes"
    if isinstance(send, DeltaSend):
        touched = frozenset(item.name for item in items) | frozenset(send.removed)
        assert taken.envoy.stuck <= touched, "a cluster that was refused late is settled by the next response"


def _check_clusters(world: World, taken: Step, send: Response, items: tuple[Resource, ...]) -> None:
    held = taken.envoy.of(CLUSTER).keys()
    for item in items:
        assert item.clusters <= held, "no route before its clusters"
    if send.type_url == CLUSTER and not (world.side.is_whole and taken.envoy.is_forgotten):
        _, going = taken.envoy.news(send)
        for type_url in (ROUTE, VIRTUAL_HOST):
            for item in taken.envoy.of(type_url).values():
                assert not item.clusters & going, "no cluster goes before its routes"
        for names in taken.after.lingering.values():
            assert not names & going & held, "nor right after them"


def _check_accepted(taken: Step, told: Accepted) -> None:
    goal: ResourceSet = taken.after.target.of_type(told.type_url)
    assert told.version == goal.version
    wanted = taken.after.types[told.type_url].subscription.of(goal)
    held = taken.envoy.of(told.type_url)
    assert {item.name: held.get(item.name) for item in wanted} == dict(wanted.resources), "it runs what is told of it"


def check_arrived(world: World, state: State, envoy: Envoy) -> None:
    """A willing Envoy runs the target, but for what it has refused and what is still the same."""
    refused: frozenset[str] = state.types[CLUSTER].refused.names
    for type_url, _ in world.asks:
        current, target = state.types[type_url], state.target.of_type(type_url)
        goal = current.subscription.of(target)
        held: Mapping[str, Resource] = envoy.of(type_url)
        lacking = {item.name for item in goal if held.get(item.name) != item}
        excused = current.refused.names | {item.name for item in goal if item.clusters & refused}
        assert lacking <= excused
        is_told = current.reported == target.version
        if not (excused & goal.names or current.balks or current.subscription.is_empty):
            assert is_told
        assert not (is_told and lacking)
    assert world.side.advance(state, Published(world.snapshots[1])) == (state, ()), "and then nothing is said any more"
