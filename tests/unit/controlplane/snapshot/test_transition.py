"""Make before break, each service for itself."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.snapshot.model import ServiceRoute, cluster_inputs, clusters_named
from controlplane.snapshot.transition import Progress, Publication, accepted, step, whole
from tests.unit.controlplane.snapshot.factory import at, service

_NOTHING_YET = Progress()


def _version(name: str, port: int = 8001) -> dict[str, object]:
    return {"name": name, "endpoints": [f"127.0.0.1:{port}"]}


def _only(name: str, version: str, *, host: str = "", port: int = 8001) -> ServiceRoute:
    return service(name, hosts=[host or name], versions=[_version(version, port)], baseline=version)


def _both(name: str, weight_bp: int) -> ServiceRoute:
    return at(service(name, hosts=[name]), weight_bp)


def _weight(publication: Publication, name: str) -> int:
    rollout = publication.routes[name].rollout
    assert rollout is not None
    return rollout.weight_bp


def test_with_nobody_there_the_target_goes_out_whole() -> None:
    publication = whole([_both("chat", 100)])
    assert publication.routes == {"chat": _both("chat", 100)}
    assert publication.clusters.keys() == publication.confirmed == {"chat/v1", "chat/v2"}


def test_a_weight_step_changes_one_route_and_nothing_else() -> None:
    before = whole([_both("chat", 100), _both("talk", 100)])
    after = step(before, [_both("chat", 500), _both("talk", 100)], _NOTHING_YET)
    assert after == Publication(
        {"chat": _both("chat", 500), "talk": _both("talk", 100)}, before.clusters, before.confirmed
    )
    assert after.routes["talk"] == before.routes["talk"]


def test_from_the_first_percent_on_a_candidate_moves_by_its_route_alone() -> None:
    """Its cluster stands there from apply on, whether a route names it or not."""
    before = whole([service("chat", hosts=["chat"])])
    assert before.clusters.keys() == {"chat/v1", "chat/v2"}
    none = step(before, [_both("chat", 0)], _NOTHING_YET)
    some = step(none, [_both("chat", 100)], _NOTHING_YET)
    assert (none.clusters, some.clusters) == (before.clusters, before.clusters)
    assert _weight(some, "chat") == 100


def test_clusters_come_before_their_routes_and_go_after_them() -> None:
    """Envoy does not warm routes: a route to a cluster that is not there yet, or not any more, answers 503."""
    target = [_only("chat", "v3")]
    made = step(whole([_only("chat", "v1")]), target, _NOTHING_YET)
    assert (made.clusters.keys(), made.named, made.warming) == ({"chat/v1", "chat/v3"}, {"chat/v1"}, {"chat/v3"})
    assert step(made, target, _NOTHING_YET) == made
    moved = step(made, target, accepted(made))
    assert (moved.clusters.keys(), moved.named) == ({"chat/v1", "chat/v3"}, {"chat/v3"})
    assert step(moved, target, _NOTHING_YET) == moved
    assert step(moved, target, accepted(moved)) == whole(target)


def test_a_rollback_does_not_wait_for_the_new_cluster_of_another_service() -> None:
    before = whole([_both("chat", 5_000), _only("talk", "v1")])
    warming = step(before, [_both("chat", 5_000), _only("talk", "v2")], _NOTHING_YET)
    after = step(warming, [_both("chat", 0), _only("talk", "v2")], _NOTHING_YET)
    assert _weight(after, "chat") == 0
    assert after.routes["talk"] == before.routes["talk"]
    assert after.warming == {"talk/v2"}


def test_a_cluster_that_was_warm_on_its_own_goes_into_routes_on_its_own() -> None:
    target = [_only("chat", "v2"), _only("talk", "v2")]
    made = step(whole([_only("chat", "v1"), _only("talk", "v1")]), target, _NOTHING_YET)
    after = step(made, target, Progress(warm={"talk/v2"}))
    assert (after.named, after.warming) == ({"chat/v1", "talk/v2"}, {"chat/v2"})


def test_a_cluster_that_no_proxy_took_goes_as_soon_as_its_operator_takes_it_back() -> None:
    """A proxy that refuses a cluster refuses what comes with it: the way back must not wait for its consent."""
    before = whole([_only("chat", "v1")])
    refused = step(before, [_only("chat", "v2")], _NOTHING_YET)
    assert step(refused, [_only("chat", "v1")], _NOTHING_YET) == before


def test_a_cluster_that_changed_is_sent_in_its_new_form_at_once() -> None:
    """Envoy keeps the old one of that name in use until the new one is warm."""
    target = [_only("chat", "v1", port=9001)]
    assert step(whole([_only("chat", "v1")]), target, _NOTHING_YET) == whole(target)


def test_a_new_service_appears_when_its_cluster_is_warm() -> None:
    target = [_only("chat", "v1"), _only("talk", "v1")]
    made = step(whole([_only("chat", "v1")]), target, _NOTHING_YET)
    assert made.routes.keys() == {"chat"}
    assert step(made, target, accepted(made)) == whole(target)


def test_a_service_that_leaves_takes_its_routes_first() -> None:
    target = [_only("chat", "v1")]
    gone = step(whole([_only("chat", "v1"), _only("talk", "v1")]), target, _NOTHING_YET)
    assert (gone.routes.keys(), gone.clusters.keys()) == ({"chat"}, {"chat/v1", "talk/v1"})
    assert step(gone, target, accepted(gone)) == whole(target)


def test_a_host_that_changes_hands_is_never_without_a_service() -> None:
    before = whole([_only("old", "v1", host="x")])
    target = [_only("new", "v1", host="X"), _only("old", "v1", host="y")]
    made = step(before, target, _NOTHING_YET)
    assert made.routes == before.routes, "who gives the host up waits for who takes it"
    assert step(made, target, accepted(made)).routes == whole(target).routes


def test_a_host_that_changes_hands_is_never_claimed_twice() -> None:
    """`old` waits for its new version; until then the host is its own."""
    before = whole([_only("old", "v1", host="x"), _only("new", "v1", host="y")])
    target = [_only("old", "v2", host="z"), _only("new", "v1", host="x")]
    made = step(before, target, _NOTHING_YET)
    assert made.routes == before.routes
    assert step(made, target, accepted(made)).routes == whole(target).routes


def test_a_weight_moves_even_while_its_service_waits_for_a_handover_of_its_host() -> None:
    before = whole([_both("chat", 5_000), _only("talk", "v1")])
    moved = replace(_both("chat", 0), spec=service("chat", hosts=["talk"]).spec)
    after = step(before, [moved, _only("talk", "v2", host="chat")], _NOTHING_YET)
    assert _weight(after, "chat") == 0
    assert after.routes["chat"].spec.hosts == ("chat",)


def test_a_cluster_that_a_published_route_names_stays_whatever_is_said_of_it() -> None:
    before = whole([_only("chat", "v1")])
    after = step(before, [_only("chat", "v2")], Progress(unused={"chat/v1"}))
    assert after.clusters.keys() == {"chat/v1", "chat/v2"}


# --- properties: any history of targets, and of what the fleet has done about them ---

_NAMES = ("chat", "talk", "sing")
_HOSTS = ("a", "b", "c", "d")
_VERSIONS = ("v1", "v2", "v3")


@st.composite
def _targets(draw: st.DrawFn) -> tuple[ServiceRoute, ...]:
    """Services that do not clash: each host goes to one of them or to none."""
    owners = {host: draw(st.sampled_from((*_NAMES, None))) for host in _HOSTS}
    routes = []
    for name in _NAMES:
        hosts = [host for host, owner in owners.items() if owner == name]
        if not hosts:
            continue
        versions = draw(st.lists(st.sampled_from(_VERSIONS), min_size=1, unique=True))
        port = draw(st.sampled_from((8001, 9001)))
        route = service(
            name, hosts=hosts, versions=[_version(version, port) for version in versions], baseline=versions[0]
        )
        if len(versions) > 1 and draw(st.booleans()):
            route = at(route, draw(st.sampled_from((0, 100, 10_000))), candidate=versions[1])
        routes.append(route)
    return tuple(routes)


_PARTS = st.sets(st.sampled_from([f"{name}/{version}" for name in _NAMES for version in _VERSIONS]))
# A target, how many times the planner is asked before the next one, and what it is told is warm.
_HISTORIES = st.lists(
    st.tuples(_targets(), st.lists(st.one_of(_PARTS, st.none()), min_size=1, max_size=3)), min_size=1, max_size=4
)


def _play(start: Sequence[ServiceRoute], history: list) -> list[tuple[Publication, Progress, Publication]]:
    """(before, progress, after) of every step. None: the whole publication was accepted."""
    current, steps = whole(start), []
    for target, asked in history:
        for warm in asked:
            progress = accepted(current) if warm is None else Progress(warm=warm)
            after = step(current, target, progress)
            steps.append((current, progress, after))
            current = after
    return steps


@settings(max_examples=100, deadline=None)
@given(_targets(), _HISTORIES)
def test_no_published_route_ever_names_a_cluster_that_is_not_confirmed(start: tuple, history: list) -> None:
    warm = set(whole(start).clusters)
    for before, progress, after in _play(start, history):
        warm |= progress.warm & before.clusters.keys()
        warm &= after.clusters.keys()
        assert after.named <= after.confirmed <= after.clusters.keys()
        assert after.confirmed == warm
        for route in after.routes.values():
            assert clusters_named(route) <= {item.name for item in cluster_inputs(route)}, "its own spec has them"


@settings(max_examples=100, deadline=None)
@given(_targets(), _HISTORIES)
def test_a_cluster_that_routes_named_leaves_only_after_a_publication_without_it_was_accepted(
    start: tuple, history: list
) -> None:
    may_be_in_use: set[str] = set()
    for before, progress, after in _play(start, history):
        may_be_in_use |= before.named
        if progress == accepted(before):
            may_be_in_use = set(before.named)
        assert may_be_in_use <= after.clusters.keys()


@settings(max_examples=100, deadline=None)
@given(_targets(), _HISTORIES, _targets())
def test_three_accepted_steps_lead_from_anywhere_to_the_target(start: tuple, history: list, target: tuple) -> None:
    current = _play(start, history)[-1][-1]
    for _ in range(3):
        current = step(current, target, accepted(current))
    assert current == whole(target)
    assert step(current, target, _NOTHING_YET) == current


@settings(max_examples=100, deadline=None)
@given(_targets(), _HISTORIES)
def test_no_host_has_two_services_and_none_that_stays_is_ever_without(start: tuple, history: list) -> None:
    steps = _play(start, history)
    targets = [target for target, asked in history for _ in asked]
    for (before, _, after), target in zip(steps, targets, strict=True):
        claimed = [host for route in after.routes.values() for host in route.spec.hosts]
        assert len(claimed) == len(set(claimed))
        served = {host for route in before.routes.values() for host in route.spec.hosts}
        wanted = {host for route in target for host in route.spec.hosts}
        assert served & wanted <= set(claimed)


@settings(max_examples=100, deadline=None)
@given(_targets(), _HISTORIES, st.sampled_from((0, 200, 10_000)))
def test_moving_one_weight_changes_one_route_whatever_else_is_under_way(
    start: tuple, history: list, weight_bp: int
) -> None:
    steps = _play(start, history)
    current, target = steps[-1][-1], history[-1][0]
    settled = step(current, target, _NOTHING_YET)
    for index, route in enumerate(target):
        if route.rollout is None or settled.routes.get(route.name) != route:
            continue
        moved = replace(route, rollout=replace(route.rollout, weight_bp=weight_bp))
        after = step(settled, [*target[:index], moved, *target[index + 1 :]], _NOTHING_YET)
        assert after == replace(settled, routes={**settled.routes, route.name: moved})
        assert clusters_named(moved) <= after.confirmed
