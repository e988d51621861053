"""One clear error with file and line for each mistake, and every mistake at once."""

import pytest

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.proxy_group import ProxyGroupSpec
from controlplane.manifest.schema import RolloutSpec, ServiceSpec, secret_files
from serinus.contract.request import StickyKind, StickySource
from tests.unit.controlplane.manifest.samples import BOTH, ROLLOUT, SERVICE


def problems_of(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load([("chat.yaml", text)])
    return [str(problem) for problem in caught.value.problems]


def test_a_right_manifest_becomes_typed_specs() -> None:
    service, rollout = load([("chat.yaml", BOTH)])
    assert isinstance(service.spec, ServiceSpec)
    assert isinstance(rollout.spec, RolloutSpec)
    assert service.spec.sticky == (StickySource(StickyKind.HEADER, "x-user-id"),)
    assert str(service.spec.versions[0].endpoints[0]) == "127.0.0.1:8001"
    assert rollout.spec.steps_bp == (1000, 5000, 10_000)
    assert rollout.spec.harm_budget_bp == 500
    assert [guardrail.metric_id for guardrail in rollout.spec.guardrails] == ["errors", "finish_reason:length"]


def test_json_is_accepted() -> None:
    text = '{"apiVersion": "serinus/v1", "kind": "Rollout", "metadata": {"name": "r"}, "spec": {"service": "chat", "candidate": "v2", "steps": ["100%"]}}'
    (manifest,) = load([("r.json", text)])
    assert manifest.name == "r"


def test_errors_are_judged_even_when_only_content_is_named() -> None:
    text = ROLLOUT.replace("    - {metric: errors}\n", "")
    (manifest,) = load([("r.yaml", text)])
    assert isinstance(manifest.spec, RolloutSpec)
    assert {guardrail.metric_id for guardrail in manifest.spec.guardrails} == {"errors", "finish_reason:length"}


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("prefix:", "prefx:", "chat.yaml:7: spec.prefx: unknown key `prefx`; did you mean `prefix`?"),
        ("[10%, ", "[110%, ", "chat.yaml:24: spec.steps[0]: 110% is more than 100%"),
        (
            "strategy: canary",
            "strategy: bandit",
            "chat.yaml:23: spec.strategy: 'bandit' is not built yet in this version; use one of canary",
        ),
        ("  baseline: v1\n", "", "chat.yaml:4: spec: `baseline` is missing"),
        (
            'endpoints: ["127.0.0.1:8001"]',
            'endpoints: ["127.0.0.1"]',
            "chat.yaml:10: spec.versions[0].endpoints[0]: '127.0.0.1' is not an endpoint; "
            'write it as "address:port", for example 127.0.0.1:8001',
        ),
        (
            "harm_budget: 5%",
            "harm_budget: 5",
            "chat.yaml:26: spec.harm_budget: 5 is not a percentage; write it with its unit, for example 5%",
        ),
        ("kind: Rollout", "kind: Experiment", "chat.yaml:18: kind: Experiment is not built yet in this version"),
        (
            "pin: candidate",
            "weight_factor: 0",
            "chat.yaml:14: spec.cohorts[0].weight_factor: 0 is not a factor from 0.001 to 1000 with at most three decimal "
            "places; write 0.5 for half the rollout's weight, or `exclude: true` for none",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_next_step(right: str, wrong: str, expected: str) -> None:
    assert right in BOTH
    assert problems_of(BOTH.replace(right, wrong, 1)) == [expected]


def test_all_mistakes_come_at_once_and_in_order() -> None:
    text = BOTH.replace("prefix:", "prefx:").replace("[10%, ", "[110%, ")
    assert [problem.split(":")[1] for problem in problems_of(text)] == ["7", "24"]


def test_the_same_object_twice_is_refused_with_both_places() -> None:
    assert problems_of(SERVICE + "---\n" + SERVICE) == [
        "chat.yaml:19: metadata.name: Service chat is defined twice; the first is at chat.yaml:1"
    ]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            "limits: {candidate: {concurent: 5}}",
            "spec.limits.candidate.concurent: unknown key `concurent`; did you mean `concurrent`?",
        ),
        ("limits: {candidate: {concurrent: 0}}", "spec.limits.candidate.concurrent: Input should be greater"),
        ("limits: {Gold: {concurrent: 5}}", "spec.limits.Gold: String should match pattern"),
        ("upgrades: [tls]", "spec.upgrades[0]: 'tls' is none of websocket"),
        ("proxies: []", "spec.proxies: Value should have at least 1 item"),
    ],
)
def test_a_mistake_below_a_name_is_shown_where_it_is(added: str, expected: str) -> None:
    (problem,) = problems_of(f"{SERVICE}  {added}\n")
    assert problem.startswith(f"chat.yaml:16: {expected}")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("tls: {ca: /etc/ca.pem}", "spec.versions[0].tls.ca: '/etc/ca.pem' is not the name of a file in the control"),
        ("tls: {cert: a, key: b}", "spec.versions[0].tls: tls needs a `ca` to verify the server with; next:"),
        ("tls: {cacert: a}", "spec.versions[0].tls.cacert: unknown key `cacert`; did you mean `cert`?"),
        ("outlier: {ejection: 30}", "spec.versions[0].outlier.ejection: 30 is not a duration; write it with its unit"),
        ("dns: {family: v4}", "spec.versions[0]: `dns` is for endpoints that are names"),
        (
            "localities: [{zone: a, wieght: 5, endpoints: []}]",
            "spec.versions[0].localities[0].wieght: unknown key `wieght`; did you mean `weight`?",
        ),
    ],
)
def test_a_mistake_in_a_version_is_shown_where_it_is(keys: str, expected: str) -> None:
    problems = problems_of(SERVICE.replace("{name: v1, ", f"{{name: v1, {keys}, "))
    assert any(problem.startswith(f"chat.yaml:10: {expected}") for problem in problems), problems


def test_a_group_of_proxies_is_an_object_of_its_own() -> None:
    text = "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: edge}\nspec: {listen: '0.0.0.0:80'}\n"
    (manifest,) = load([("edge.yaml", text)])
    assert isinstance(manifest.spec, ProxyGroupSpec)
    assert str(manifest.spec.listen) == "0.0.0.0:80"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [", "chat.yaml:1: not valid YAML"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("- 1\n", "a document must be a mapping"),
        ("\x00", "not valid YAML"),
        ("1: 2\n", "keys must be text"),
        (
            "x: &a [1,2]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nz: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "w: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\nv: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nu: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
            "more than 200000 values",
        ),
    ],
)
def test_text_that_is_no_manifest_is_refused(text: str, part: str) -> None:
    assert part in problems_of(text)[0]


@pytest.mark.parametrize(
    ("steps", "part"),
    [
        ("[50%, 10%, 100%]", "must rise"),
        ("[10%, 50%]", "end with 100%"),
        ("[0%, 100%]", "above 0%"),
        ("auto", "serinus plan"),
        ("[]", "at least 1"),
    ],
)
def test_steps_that_make_no_ramp_are_refused(steps: str, part: str) -> None:
    assert part in problems_of(ROLLOUT.replace("[10%, 50%, 100%]", steps))[0]


def test_services_say_which_secret_files_they_need() -> None:
    text = SERVICE.replace("{name: v2, ", "{name: v2, tls: {ca: ca.pem}, auth: {file: token}, ")
    specs = [each.spec for each in load([("chat.yaml", text)]) if isinstance(each.spec, ServiceSpec)]
    assert secret_files(specs) == {"ca.pem", "token"}
    assert secret_files([]) == frozenset()


@pytest.mark.parametrize(("added", "expected"), [("", [True, True]), ("  proxies: [edge]\n", [True, False])])
def test_a_service_is_served_by_the_groups_that_it_names_or_by_all(added: str, expected: list[bool]) -> None:
    (manifest,) = load([("chat.yaml", SERVICE + added)])
    assert isinstance(manifest.spec, ServiceSpec)
    assert [manifest.spec.is_served_by(group) for group in ("edge", "internal")] == expected
    assert manifest.spec.version("v2").name == "v2"


@pytest.mark.parametrize("host", ["https://a.b/c", "a*b", "", "a.b:80", "*.", "a b"])
def test_a_host_that_envoy_would_refuse_is_refused_here(host: str) -> None:
    """Envoy takes or leaves all virtual hosts of an update: one bad host would keep every service's routes back."""
    (problem,) = problems_of(SERVICE.replace('hosts: ["*"]', f'hosts: ["{host}"]'))
    assert problem.startswith(f"chat.yaml:6: spec.hosts[0]: {host!r} is not a host; write a name without scheme")


@pytest.mark.parametrize("host", ["*", "Chat.example.com", "*.example.com", "*-eu.example.com", "chat.*", "[::1]"])
def test_hosts_are_compared_without_case(host: str) -> None:
    (manifest,) = load([("chat.yaml", SERVICE.replace('hosts: ["*"]', f'hosts: ["{host}"]'))])
    assert isinstance(manifest.spec, ServiceSpec)
    assert manifest.spec.hosts == (host.lower(),)
