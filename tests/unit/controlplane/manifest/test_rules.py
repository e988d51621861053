"""Rules across objects."""

import pytest

from controlplane.manifest.load import Manifest, load
from controlplane.manifest.rules import check
from controlplane.manifest.schema import ServiceSpec
from tests.unit.controlplane.manifest.samples import BOTH, ROLLOUT, SERVICE


def problems_of(
    text: str, baselines: dict[str, str] | None = None, groups: tuple[str, ...] = ("default",)
) -> list[str]:
    manifests: list[Manifest] = load([("chat.yaml", text)])
    services = {m.name: m.spec for m in manifests if isinstance(m.spec, ServiceSpec)}
    return [str(problem) for problem in check(manifests, services, baselines or {}, groups=groups)]


def test_right_manifests_have_no_problem() -> None:
    assert problems_of(BOTH) == []


def test_two_services_may_not_claim_one_host_and_prefix() -> None:
    other = SERVICE.replace("name: chat}", "name: talk}")
    first, second = problems_of(SERVICE + "---\n" + other)
    assert first.startswith(
        "chat.yaml:6: spec.hosts[0]: services chat and talk both claim host * with prefix /v1/; next:"
    )
    assert second.startswith("chat.yaml:22: spec.hosts[0]: services talk and chat both claim")


def test_another_prefix_is_no_clash() -> None:
    assert problems_of(SERVICE + "---\n" + SERVICE.replace("name: chat}", "name: talk}").replace("/v1/", "/v2/")) == []


def test_services_of_different_proxies_may_claim_one_host_and_prefix() -> None:
    other = SERVICE.replace("name: chat}", "name: talk}") + "  proxies: [internal]\n"
    groups = ("edge", "internal")
    assert problems_of(SERVICE + "  proxies: [edge]\n---\n" + other, groups=groups) == []
    assert len(problems_of(SERVICE + "  proxies: [edge, internal]\n---\n" + other, groups=groups)) == 2
    assert len(problems_of(SERVICE + "---\n" + other, groups=groups)) == 2


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            "proxies: [default, edge]",
            "chat.yaml:16: spec.proxies[1]: proxy group edge does not exist; groups: default",
        ),
        ("proxies: [default, default]", "chat.yaml:16: spec.proxies[1]: proxy group default stands twice"),
        (
            "limits: {v9: {concurrent: 1}}",
            "chat.yaml:16: spec.limits.v9: v9 is no arm, version or cohort; known: candidate, baseline, v1, v2, staff",
        ),
        (
            "limits: {staff: {requests_per_second: 5, concurrent: 1}}",
            "chat.yaml:16: spec.limits.staff.concurrent: concurrent requests are counted by version, not by cohort; "
            "next: give the cohort requests_per_second, or limit a version",
        ),
    ],
)
def test_a_limit_or_proxy_group_that_nothing_has_is_named(added: str, expected: str) -> None:
    assert problems_of(f"{SERVICE}  {added}\n") == [expected]


def test_limits_of_arms_versions_and_cohorts_are_right() -> None:
    limits = "limits: {candidate: {concurrent: 1}, v1: {concurrent: 1}, staff: {requests_per_second: 1}}"
    assert problems_of(f"{SERVICE}  {limits}\n") == []


def test_a_limit_whose_name_has_two_meanings_is_refused() -> None:
    text = SERVICE.replace("name: staff", "name: v1") + "  limits: {v1: {requests_per_second: 1}}\n"
    (problem,) = problems_of(text)
    assert "v1 is a version and a cohort; next: rename the version or cohort" in problem


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("baseline: v1", "baseline: v9", "chat.yaml:12: spec.baseline: version v9 does not exist; versions: v1, v2"),
        (
            "candidate: v2",
            "candidate: v9",
            "chat.yaml:22: spec.candidate: version v9 does not exist in service chat; versions: v1, v2",
        ),
        ("service: chat", "service: nope", "chat.yaml:21: spec.service: service nope does not exist; services: chat"),
        ("name: v2,", "name: v1,", "chat.yaml:11: spec.versions[1].name: version v1 stands twice"),
        (
            "pin: candidate}\n",
            "pin: candidate}\n    - {name: staff, match: {header: {name: a, exact: b}}, pin: baseline}\n",
            "chat.yaml:15: spec.cohorts[1].name: cohort staff stands twice",
        ),
        ('hosts: ["*"]', 'hosts: ["*", "*"]', "chat.yaml:6: spec.hosts[1]: host * stands twice"),
        ('hosts: ["*"]', 'hosts: ["a.B", "A.b"]', "chat.yaml:6: spec.hosts[1]: host a.b stands twice"),
        ("name: staff", "name: everyone", "chat.yaml:14: spec.cohorts[0].name: everyone is a name Serinus uses itself"),
        ("protocol: openai", "protocol: http", "chat.yaml:15: spec.observe.body: needs protocol openai or kserve-v2"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(right: str, wrong: str, expected: str) -> None:
    assert expected in problems_of(BOTH.replace(right, wrong, 1))


def test_json_is_judged_by_what_the_request_asked_for() -> None:
    text = BOTH.replace("{metric: finish_reason, of: length, margin: 20pp}", "{metric: invalid_json, margin: 5pp}")
    assert text != BOTH
    (problem,) = problems_of(text)
    assert "next: set `observe: {body: true, requests: true}` on service chat" in problem
    assert problems_of(text.replace("observe: {body: true}", "observe: {body: true, requests: true}")) == []


@pytest.mark.parametrize("observe", ["{body: false}", "{body: true, sample: 0%}"])
def test_a_content_metric_needs_the_body_observed(observe: str) -> None:
    (problem,) = problems_of(BOTH.replace("observe: {body: true}", f"observe: {observe}"))
    assert "set `observe: {body: true}` on service chat" in problem


def test_the_version_in_force_is_no_candidate_even_if_the_manifest_names_another_baseline() -> None:
    (problem,) = problems_of(BOTH, {"chat": "v2"})
    assert "version v2 is the baseline of service chat already" in problem
    assert problems_of(ROLLOUT) == ["chat.yaml:5: spec.service: service chat does not exist; services: none"]


def test_a_cap_on_servers_that_nobody_asks_is_refused() -> None:
    capped = f"{ROLLOUT}  capacity: {{queue: 50}}\n"
    (problem,) = problems_of(f"{SERVICE}---\n{capped}")
    assert "metrics" in problem
    asked = SERVICE.replace('["127.0.0.1:8002"],', '["127.0.0.1:8002"], metrics: {},')
    assert problems_of(f"{asked}---\n{capped}") == []
