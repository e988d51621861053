"""An apply changes all or nothing, and a promotion is not undone by applying the same file again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from controlplane.engine.routing import FileNotHereError, RouteBook, place, policies
from controlplane.engine.world import NotFoundError, World, plan_apply
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.rollout.model import Observing, Phase, Preparing, Promoted
from serinus.contract.condition import Surroundings
from tests.unit.controlplane.manifest.samples import BOTH, ROLLOUT, SERVICE

T0 = 1_700_000_000_000


def applied(world: World, text: str, at_ms: int = T0) -> tuple[World, list[str]]:
    plan = plan_apply(world, load([("chat.yaml", text)]), at_ms)
    return plan.world, [f"{change.kind}/{change.name} {change.change}" for change in plan.changes]


def started() -> World:
    return applied(World(), BOTH)[0]


def promoted() -> World:
    world = started()
    return world.with_rollout(replace(world.rollout("chat-v2"), phase=Promoted(T0 + 1))).with_baseline("chat", "v2")


def test_a_first_apply_creates_and_a_second_changes_nothing() -> None:
    world, changes = applied(World(), BOTH)
    assert changes == ["Service/chat created", "Rollout/chat-v2 created"]
    assert world.rollout("chat-v2").phase == Preparing(T0)
    again, changes = applied(world, BOTH, T0 + 5000)
    assert changes == ["Service/chat unchanged", "Rollout/chat-v2 unchanged"]
    assert again == world


def test_a_promotion_outlives_the_same_file() -> None:
    world, changes = applied(promoted(), BOTH)
    assert changes == ["Service/chat unchanged", "Rollout/chat-v2 unchanged"]
    assert world.services["chat"].baseline == "v2"
    assert world.active("chat") is None


def test_a_new_baseline_in_the_manifest_is_the_operators_word() -> None:
    first = applied(promoted(), SERVICE.replace("baseline: v1", "baseline: v2"))[0]
    assert applied(first, SERVICE)[0].services["chat"].baseline == "v1"


def test_the_next_release_starts_from_the_promoted_version() -> None:
    text = SERVICE.replace("name: v1,", "name: v3,").replace("baseline: v1", "baseline: v2")
    world, _ = applied(
        promoted(), text + "---\n" + ROLLOUT.replace("chat-v2", "chat-v3").replace("candidate: v2", "candidate: v3")
    )
    assert world.rollout("chat-v3").baseline == "v2"
    (route,) = RouteBook().routes(world)
    assert (route.baseline, route.salt) == ("v2", "chat-v3")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (ROLLOUT.replace("candidate: v2", "candidate: v1"), "is running: its service and candidate are fixed"),
        (ROLLOUT.replace("name: chat-v2", "name: other"), "service chat is busy with rollout chat-v2"),
        (SERVICE.replace("name: v2,", "name: v9,"), "version v2 is in use by rollout chat-v2"),
        (SERVICE.replace("X-User-Id", "X-Session"), "sticky and baseline may not change while rollout chat-v2 runs"),
    ],
)
def test_what_a_running_rollout_stands_on_may_not_change(text: str, part: str) -> None:
    world = started()
    with pytest.raises(ManifestError, match=part):
        applied(world, text)


NOT_OPS = "{not: {header: {name: x-unit, exact: ops}}}"


def test_a_not_of_what_no_rule_read_before_may_not_come_while_a_rollout_runs() -> None:
    """For the moment until proxies send the header, everyone would be pinned."""
    denying = SERVICE.replace("{header: {name: X-Team, exact: ml}}", NOT_OPS)
    with pytest.raises(ManifestError, match="`not` of x-unit may not come or go while rollout chat-v2 runs"):
        applied(started(), denying)
    reading = SERVICE.replace("name: X-Team", "name: X-Unit")
    changed = applied(applied(started(), reading)[0], denying)[0]
    with pytest.raises(ManifestError, match="`not` of x-unit may not come or go"):
        applied(changed, SERVICE)
    assert applied(promoted(), denying)[1] == ["Service/chat configured"]


def test_two_rollouts_of_one_service_in_one_apply_are_refused() -> None:
    with pytest.raises(ManifestError, match="service chat is busy with rollout chat-v2"):
        applied(World(), BOTH + "---\n" + ROLLOUT.replace("name: chat-v2", "name: other"))


def test_pins_reach_the_candidate_with_the_first_step_and_leave_with_the_weight() -> None:
    world = started()
    (route,) = RouteBook().routes(world)
    assert route.rollout is not None
    assert (route.rollout.weight_bp, route.rollout.pins) == (0, False)
    world = world.with_rollout(replace(world.rollout("chat-v2"), phase=Observing(0, T0)))
    (route,) = RouteBook().routes(world)
    assert route.rollout is not None
    assert (route.rollout.weight_bp, route.rollout.pins) == (1000, True)
    (policy,) = policies(world)
    assert (policy.salt, policy.baseline, policy.cohorts[0].pin, policy.follow_up_ms) == ("chat-v2", "v1", "v2", 3000)
    (policy,) = policies(promoted())
    assert (policy.baseline, policy.cohorts[0].pin) == ("v2", "")


def headers(**values: str) -> Callable[[str], list[bytes]]:
    given = {name.replace("_", "-"): [value.encode()] for name, value in values.items()}
    return lambda name: given.get(name, [])


STAFF = "cohort staff is pinned to it: rule 1, header x-team is 'ml'"


@pytest.mark.parametrize(
    ("fields", "phase", "version", "cohort", "rule"),
    [
        ({"x_user_id": "u1"}, Preparing(T0), "v1", "everyone", "bucket 3182 >= 0 (weight 0%)"),
        ({"x_user_id": "u1"}, Observing(0, T0), "v1", "everyone", "bucket 3182 >= 1000 (weight 10%)"),
        ({"x_user_id": "u1"}, Observing(2, T0), "v2", "everyone", "bucket 3182 < 10000 (weight 100%)"),
        ({}, Observing(2, T0), "v1", "no_key", "cohort no_key is pinned to it"),
        ({"x_team": "ml", "x_user_id": "u1"}, Observing(0, T0), "v2", "staff", STAFF),
        (
            {"x_team": "ml", "x_user_id": "u1"},
            Preparing(T0),
            "v1",
            "staff",
            f"bucket 3182 >= 0 (weight 0%); not in force now: {STAFF}",
        ),
    ],
)
def test_a_request_is_placed_by_the_rule_that_is_named(
    fields: dict[str, str], phase: Phase, version: str, cohort: str, rule: str
) -> None:
    world = started()
    world = world.with_rollout(replace(world.rollout("chat-v2"), phase=phase))
    placement = place(world, "chat", headers(**fields), Surroundings())
    assert (placement.version, placement.assignment.cohort, placement.rule) == (version, cohort, rule)


def test_without_a_rollout_everyone_is_on_the_baseline() -> None:
    assert place(promoted(), "chat", headers(x_user_id="u1"), Surroundings()).version == "v2"
    with pytest.raises(NotFoundError, match="no service nope; services: chat"):
        place(promoted(), "nope", headers(), Surroundings())


def test_where_a_list_decides_the_control_plane_says_that_it_has_none() -> None:
    listed = SERVICE.replace("{header: {name: X-Team, exact: ml}}", "{key: {in_file: gold.txt}}")
    world = applied(World(), listed)[0]
    with pytest.raises(FileNotHereError, match=r"the file gold\.txt, which only the sidecars hold"):
        place(world, "chat", headers(x_user_id="u1"), Surroundings())
    assert place(world, "chat", headers(), Surroundings()).assignment.cohort == "no_key", "it was never asked"


def test_an_excluded_cohort_stays_on_the_baseline_and_the_answer_says_so() -> None:
    world = applied(World(), BOTH.replace("pin: candidate", "exclude: true"))[0]
    world = world.with_rollout(replace(world.rollout("chat-v2"), phase=Observing(2, T0)))
    placement = place(world, "chat", headers(x_team="ml", x_user_id="u1"), Surroundings())
    assert (placement.version, placement.assignment.pin) == ("v1", "v1")
    assert placement.rule == "cohort staff is excluded, so on the baseline: rule 1, header x-team is 'ml'"
    assert policies(world)[0].cohorts[0].pin == "v1"


GROUP = "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: edge}\nspec: {listen: '0.0.0.0:8080'}\n"


def only_by(*groups: str) -> str:
    return SERVICE.replace("  baseline: v1\n", f"  baseline: v1\n  proxies: [{', '.join(groups)}]\n")


def test_a_proxy_group_is_applied_as_anything_else() -> None:
    world, changes = applied(World(), GROUP)
    assert changes == ["ProxyGroup/edge created"]
    assert applied(world, GROUP)[1] == ["ProxyGroup/edge unchanged"]
    assert applied(world, GROUP.replace("8080", "9090"))[1] == ["ProxyGroup/edge configured"]


def test_there_is_one_group_until_there_are_others() -> None:
    assert World().group_names == {"default"}
    assert applied(World(), GROUP)[0].group_names == {"edge"}


def test_a_service_may_name_groups_of_the_same_apply_and_no_unknown_ones() -> None:
    assert applied(World(), only_by("edge") + "---\n" + GROUP)[1][-1] == "ProxyGroup/edge created"
    with pytest.raises(ManifestError, match="proxy group edge does not exist; groups: default"):
        applied(World(), only_by("edge"))


def test_the_first_group_does_not_silence_a_service_that_names_the_one_without_any() -> None:
    world, _ = applied(World(), only_by("default"))
    with pytest.raises(
        ManifestError, match=r"chat.yaml:4: .*service chat names proxy group default, which exists only"
    ):
        applied(world, GROUP)
    applied(world, GROUP + "---\n" + GROUP.replace("name: edge", "name: default"))
    applied(world, GROUP + "---\n" + only_by("edge"))


def test_a_group_listens_on_an_address_and_not_on_a_name() -> None:
    with pytest.raises(ManifestError, match=r"spec.listen: gateway is a name; a proxy listens on an IP address"):
        applied(World(), GROUP.replace("0.0.0.0", "gateway"))


def test_of_many_rollouts_only_the_one_that_runs_is_active() -> None:
    world = promoted()
    assert world.active_rollouts == ()
    assert [rollout.name for rollout in started().active_rollouts] == ["chat-v2"]


_ODD = SERVICE.replace(
    "name: staff, match: {header: {name: X-Team, exact: ml}}", "name: beta, match: {share: {of: 10%}}"
)


def test_an_apply_says_which_data_path_a_service_takes_and_why() -> None:
    changes = plan_apply(World(), load([("chat.yaml", _ODD)]), T0).changes
    assert [change.note for change in changes] == [
        "data path ext_proc: cohort beta tests a share by hash: only the sidecar can"
    ]


def test_native_is_refused_with_the_line_of_what_envoy_cannot_do() -> None:
    with pytest.raises(ManifestError) as raised:
        plan_apply(World(), load([("chat.yaml", _ODD + "  datapath: native\n")]), T0)
    (problem,) = raised.value.problems
    assert (problem.field, problem.line) == ("spec.cohorts[0]", 14)
    assert "datapath is native, but cohort beta tests a share by hash: only the sidecar can" in problem.message


def test_the_data_path_may_change_while_a_rollout_runs() -> None:
    world = applied(started(), SERVICE.rstrip() + "\n  datapath: ext_proc\n")[0]
    assert applied(world, SERVICE.rstrip() + "\n  datapath: native\n")[1] == ["Service/chat configured"]
