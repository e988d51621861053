"""Which group of proxies serves what, and where."""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.engine.routing import GroupTarget, RouteBook, group_targets
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.load import load
from controlplane.rollout.model import Observing
from controlplane.snapshot.model import Gateway
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

GATEWAY = Gateway(listen_host="127.0.0.1", listen_port=8080, ext_proc_message_timeout_ms=70)
EDGE = (
    "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: edge}\nspec: {listen: '0.0.0.0:80', nodes: ['e-*']}\n"
)
INTERNAL = "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: internal}\nspec: {listen: '[::1]:9090'}\n"


def world(*texts: str) -> World:
    return plan_apply(World(), load([("a.yaml", "---\n".join(texts))]), 0).world


def service(name: str, proxies: str = "") -> str:
    text = SERVICE.replace("name: chat}", f"name: {name}}}").replace('hosts: ["*"]', f"hosts: [{name}]")
    return text + (f"  proxies: [{proxies}]\n" if proxies else "")


def targets_of(given: World) -> Mapping[str, GroupTarget]:
    return group_targets(given, RouteBook().routes(given), GATEWAY)


def test_a_service_in_which_nothing_moved_keeps_the_very_route_that_it_had() -> None:
    book = RouteBook()
    before = world(service("chat"), service("talk"), ROLLOUT)
    chat, talk = book.routes(before)
    after = before.with_rollout(replace(before.rollout("chat-v2"), phase=Observing(0, 0)))
    moved, same = book.routes(after)
    assert same is talk
    assert (chat.rollout and chat.rollout.weight_bp, moved.rollout and moved.rollout.weight_bp) == (0, 1_000)


def test_without_groups_everything_is_served_where_the_process_was_told() -> None:
    given = world(service("chat"), service("talk"))
    (target,) = targets_of(given).values()
    assert (target.gateway, [route.name for route in target.routes], target.nodes) == (GATEWAY, ["chat", "talk"], ())


def test_each_group_listens_for_itself_and_serves_what_names_it_or_names_none() -> None:
    given = world(service("chat"), service("talk", "edge"), service("sing", "internal"), EDGE, INTERNAL)
    targets = targets_of(given)
    assert {name: [route.name for route in target.routes] for name, target in targets.items()} == {
        "edge": ["chat", "talk"],
        "internal": ["chat", "sing"],
    }
    edge, internal = targets["edge"], targets["internal"]
    assert (edge.gateway.listen_host, edge.gateway.listen_port, edge.nodes) == ("0.0.0.0", 80, ("e-*",))
    assert (internal.gateway.listen_host, internal.gateway.listen_port, internal.nodes) == ("::1", 9090, ())
    assert edge.gateway.ext_proc_message_timeout_ms == internal.gateway.ext_proc_message_timeout_ms == 70


def test_a_group_that_no_service_names_still_has_its_listener() -> None:
    targets = targets_of(world(service("talk", "edge"), EDGE, INTERNAL))
    assert targets["internal"].routes == ()
