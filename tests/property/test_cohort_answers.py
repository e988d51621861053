"""One policy, four ways to ask it: the contract, the sidecar after the wire, `serinus cohort`, all give one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.engine.routing import place, policies, service_route
from controlplane.engine.world import World
from controlplane.ingest.wire import policy_message
from controlplane.manifest import regex
from controlplane.rollout.model import Observing
from controlplane.snapshot.route import build_routes
from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.wire import policies_of
from serinus.contract.bucket import salted_key
from serinus.contract.condition import Op, Source, Surroundings, TextTest
from serinus.contract.policy import Assignment, CohortRule, ServicePolicy
from serinus.v1 import outcomes_pb2
from tests.unit.controlplane.engine.test_world import applied
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE
from tests.unit.controlplane.snapshot.envoy_model import cluster_of
from tests.unit.controlplane.snapshot.factory import decoded_routes
from tests.unit.extproc.cohort.drawn_policies import POLICIES, REQUESTS, STICKY

COHORTS = """  cohorts:
    - {name: bots, match: {any: [{header: {name: h1, suffix: b}}, {path: {regex: '/x.*'}}]}, exclude: true}
    - {name: staff, match: {all: [{header: {name: h1, in: [a, ab]}}, {not: {cookie: {name: uid, exact: u1}}}]}, pin: candidate}
    - {name: office, match: {source: {in: [10.0.0.0/8]}}, pin: candidate}
    - {name: night, match: {time: {from: '22:00', until: '06:00', days: [mon, sat]}}, pin: baseline}
    - {name: odd, match: {query: {name: q, modulo: {of: 2, is: [1]}}}, pin: candidate}
    - {name: there, match: {geo: {header: h1, country: [DE, FR]}}, pin: candidate}
    - {name: gold, match: {header: {name: h2, in: [a, u1]}}, weight_factor: 0.5}
    - {name: first, match: {header: {name: h2, prefix: x}}, weight_factor: 3}
    - {name: early, match: {all: [{method: {exact: GET}}, {share: {of: 50%}}]}, pin: candidate}
  slices:
    - {by: letter, header: h1, in: [a, ab]}
    - {by: user, values: [{name: one, match: {key: {exact: u1}}}, {name: half, match: {share: {of: 50%}}}]}
"""


def test_a_policy_comes_out_of_the_wire_as_it_went_in() -> None:
    @settings(deadline=None)
    @given(policy=POLICIES)
    def law(policy: ServicePolicy) -> None:
        message = policy_message([policy])
        again = outcomes_pb2.Policy.FromString(message.SerializeToString())
        assert policies_of(again).services == {"chat": policy}

    law()


@pytest.mark.parametrize(
    ("op", "operands", "form"), [(Op.EXACT, ("a",), "exact"), (Op.PREFIX, ("a",), "prefix"), (Op.IN, ("a", "b"), "in")]
)
def test_a_rule_of_the_first_release_keeps_its_form_on_the_wire(op: Op, operands: tuple[str, ...], form: str) -> None:
    """A sidecar of that release reads it."""
    rule = CohortRule("c", TextTest(Source.HEADER, "x", op, operands), "v2")
    (sent,) = policy_message([ServicePolicy("chat", "r1", "v1", STICKY, (rule,))]).services[0].cohorts
    assert (sent.WhichOneof("match"), sent.header) == (form, "x")


@settings(deadline=None, max_examples=300)
@given(values=REQUESTS, now_s=st.integers(0, 2_000_000))
def test_the_command_line_and_the_sidecar_name_one_cohort_and_one_version(
    values: Mapping[str, Sequence[bytes]], now_s: int
) -> None:
    placement = place(WORLD, "chat", lambda name: values.get(name, ()), Surroundings(now_s, regex.matches))
    assert SIDECAR.evaluate(values, now_s) == placement.assignment
    if placement.assignment.cohort in {"bots", "staff", "office", "night", "odd", "there", "gold", "first", "early"}:
        assert f"cohort {placement.assignment.cohort} is " in placement.rule
        assert ": rule " in placement.rule


@settings(deadline=None, max_examples=300)
@given(values=REQUESTS)
def test_the_command_line_names_the_version_that_envoy_gives_a_tagged_request(
    values: Mapping[str, Sequence[bytes]],
) -> None:
    """Weight classes and all."""
    placement = place(WORLD, "chat", lambda name: values.get(name, ()), Surroundings(0, regex.matches))
    tagged = {name: list(several) for name, several in values.items() if name.startswith("h")}
    tagged |= tags_of(SIDECAR.evaluate(values, 0))
    assert cluster_of(ROUTES, tagged) == f"chat/{placement.version}"


def tags_of(got: Assignment) -> dict[str, list[bytes]]:
    """What the sidecar puts into the request."""
    tags = {"x-serinus-cohort": [got.cohort.encode()]}
    if got.key is not None:
        tags["x-serinus-key"] = [salted_key("chat-v2", got.key)]
        tags["x-serinus-bucket"] = [b"%d" % (got.bucket or 0)]
    if got.pin is not None:
        tags["x-serinus-pin"] = [got.pin.encode()]
    return tags


def world() -> World:
    """A rollout under way, so that pins are in force."""
    service = SERVICE[: SERVICE.index("  cohorts:")] + COHORTS + SERVICE[SERVICE.index("  observe:") :]
    service = service.replace("sticky: {header: X-User-Id}", "sticky: [{header: x-user}, {cookie: uid}]")
    begun = applied(World(), service + "---\n" + ROLLOUT)[0]
    return begun.with_rollout(replace(begun.rollout("chat-v2"), phase=Observing(1, 0)))


WORLD = world()
SIDECAR = CompiledPolicy(policies_of(policy_message(policies(WORLD))).services["chat"])
ROUTES = decoded_routes(build_routes(service_route(WORLD, WORLD.services["chat"])))
