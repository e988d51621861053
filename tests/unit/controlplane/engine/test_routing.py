"""Which group of proxies serves what, and where."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlplane.engine.routing import (
    FileNotHereError,
    GroupTarget,
    Placement,
    RouteBook,
    group_targets,
    place,
    policies,
)
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.load import load
from controlplane.rollout.model import Observing
from controlplane.snapshot.model import Gateway
from serinus.contract.condition import Surroundings
from serinus.contract.policy import TokenPolicy
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


GOLD = "    - {name: gold, match: {header: {name: x-tier, exact: gold}}, weight_factor: 0.5}\n"


def placed(headers: Mapping[str, bytes], *, weight: str = "10%") -> Placement:
    text = SERVICE.replace("  cohorts:\n", "  cohorts:\n" + GOLD)
    begun = world(text, ROLLOUT.replace("[10%", f"[{weight}"))
    begun = begun.with_rollout(replace(begun.rollout("chat-v2"), phase=Observing(0, 0)))
    return place(begun, "chat", lambda name: [headers[name]] if name in headers else [], Surroundings())


def test_a_member_of_a_weight_class_is_placed_by_its_weight_and_told_so() -> None:
    answer = placed({"x-user-id": b"ada", "x-tier": b"gold"})
    bucket = answer.assignment.bucket
    assert (answer.weight_bp, answer.version, answer.assignment.pin) == (
        500,
        "v2" if (bucket or 0) < 500 else "v1",
        None,
    )
    assert (
        "500 (weight 5%); cohort gold is dealt by 0.5 times the weight: rule 1, header x-tier is 'gold'" in answer.rule
    )


def test_a_member_without_a_key_is_on_the_baseline_and_told_why() -> None:
    answer = placed({"x-tier": b"gold"})
    assert (answer.version, answer.assignment.cohort, answer.assignment.pin) == ("v1", "gold", "v1")
    assert answer.rule.startswith("no sticky key: the baseline; cohort gold is dealt by 0.5 times the weight")


def test_everyone_else_is_placed_by_the_rollouts_weight() -> None:
    assert placed({"x-user-id": b"ada"}).weight_bp == 1_000


def test_the_versions_in_force_are_those_that_a_token_may_ask_for() -> None:
    text = SERVICE + "  tokens: {key_file: testers.key}\n"
    (quiet,) = policies(world(text))
    assert quiet.tokens == TokenPolicy("testers.key", ("v1",))
    (moving,) = policies(world(text, ROLLOUT))
    assert moving.tokens == TokenPolicy("testers.key", ("v1", "v2"))
    (none,) = policies(world(SERVICE))
    assert none.tokens is None


def test_what_a_file_of_the_sidecars_decides_is_said_so() -> None:
    geo = "    - {name: eu, match: {geo: {file: geo.mmdb, continent: [EU]}}, pin: candidate}\n"
    text = SERVICE.replace("  cohorts:\n", "  cohorts:\n" + geo) + "  tokens: {key_file: testers.key}\n"
    given = world(text, ROLLOUT)
    for headers, file in (({":source": b"10.0.0.1"}, "geo.mmdb"), ({"serinus-token": b"st1.a.b"}, "testers.key")):
        with pytest.raises(FileNotHereError, match=f"the file {file}, which only the sidecars hold"):
            place(given, "chat", lambda name, sent=headers: [sent[name]] if name in sent else [], Surroundings())
