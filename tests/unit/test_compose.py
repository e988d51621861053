"""docker-compose.yml holds together: keys, mounts, users, order, published ports. No container engine is needed.

What a command line says is checked in `test_compose_commands.py`.
"""

import re
from typing import Any

import pytest

from tests.unit import compose_schema
from tests.unit.compose_file import DOCUMENT, OURS, ROOT, SERVICES, mount_of, mounts, yaml_of

GRAFANA = "envoy/observability/grafana"
DOCKERFILE = OURS["controlplane"]["build"]["dockerfile_inline"]
SCRAPES = {job["job_name"]: job for job in yaml_of("envoy/observability/prometheus.yml")["scrape_configs"]}


def test_every_key_is_known_and_every_value_has_its_shape() -> None:
    assert list(compose_schema.faults(DOCUMENT)) == []


GOOD = {"image": "a:1"}
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"services": {"a": {**GOOD, "comand": ["x"]}}}, "services.a.comand: unknown key"),
    ({"services": {"a": {**GOOD, "command": "x"}}}, "services.a.command: 'x' has not"),
    ({"services": {"a": {**GOOD, "ports": ["8080:8080"]}}}, "services.a.ports: "),
    ({"services": {"a": {**GOOD, "environment": {"A": True}}}}, "services.a.environment: "),
    ({"services": {"a": {**GOOD, "depends_on": {"b": {"condition": "done"}}}}}, "services.a.depends_on: "),
    ({"services": {"a": {"image": "a"}}}, "services.a.image: "),
    ({"services": {"a": {"user": "1:1"}}}, "services.a: neither image nor build"),
    ({"services": {"a": {**GOOD, "network_mode": "service:b", "ports": []}}}, "services.a.ports: belong"),
    ({"service": {}}, "service: unknown key"),
]


@pytest.mark.parametrize(("document", "fault"), BROKEN)
def test_the_schema_refuses_a_broken_file(document: dict[str, Any], fault: str) -> None:
    (found,) = compose_schema.faults(document)
    assert found.startswith(fault)


@pytest.mark.parametrize("service", SERVICES)
def test_every_mount_exists(service: str) -> None:
    for mount in mounts(service):
        if mount.is_bind:
            assert (ROOT / mount.source).exists(), f"{mount.source} is not in the repository"
            assert mount.is_read_only, f"{mount.source}: a container must not change the repository"
        else:
            assert mount.source in DOCUMENT["volumes"], f"{mount.source} is not declared under volumes"


def test_every_declared_volume_is_used() -> None:
    assert set(DOCUMENT["volumes"]) == {
        mount.source for name in SERVICES for mount in mounts(name) if not mount.is_bind
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_dependency_exists_and_can_meet_its_condition(service: str) -> None:
    needs = SERVICES[service].get("depends_on", {})
    conditions = needs if isinstance(needs, dict) else {name: {"condition": "service_started"} for name in needs}
    for name, need in conditions.items():
        if need["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[name], f"{service} waits for the health of {name}, which has no check"
        if need["condition"] == "service_completed_successfully":
            assert SERVICES[name].get("restart", "no") == "no", f"{name} would be restarted for ever"
    if "network_mode" in SERVICES[service]:
        owner = SERVICES[service]["network_mode"].removeprefix("service:")
        assert owner in conditions, f"{service} shares the network of {owner} and must start after it"


def test_whoever_mounts_certificates_waits_until_they_are_made() -> None:
    makers = {mount.source for mount in mounts("certs")}
    users = {name for name in SERVICES for mount in mounts(name) if mount.source in makers} - {"certs", "cli"}
    assert users == {"controlplane", "envoy", "sidecar", "prometheus"}
    for name in users:
        assert SERVICES[name]["depends_on"]["certs"] == {"condition": "service_completed_successfully"}
    assert "controlplane" in SERVICES["cli"]["depends_on"], "which waited for them"


def test_each_process_sees_its_own_key_and_no_other() -> None:
    keys = {f"certs-{party}" for party in ("ca", "controlplane", "envoy", "sidecar", "operator")}
    holders = {key: sorted(n for n in SERVICES for m in mounts(n) if m.source == key and n != "certs") for key in keys}
    assert holders == {
        "certs-ca": [],
        "certs-controlplane": ["controlplane"],
        "certs-envoy": ["envoy"],
        "certs-sidecar": ["sidecar"],
        "certs-operator": ["cli"],
    }


def test_envoy_and_sidecar_share_uid_socket_volume_and_network() -> None:
    assert SERVICES["envoy"]["user"] == SERVICES["sidecar"]["user"]
    assert mount_of("envoy", "/run/serinus") == mount_of("sidecar", "/run/serinus")
    assert SERVICES["sidecar"]["network_mode"] == "service:envoy"


def test_our_image_runs_as_the_uid_that_owns_its_volumes() -> None:
    (uid,) = {service["user"].partition(":")[0] for service in OURS.values()}
    assert f"useradd --uid {uid} " in DOCKERFILE
    assert f"USER {uid}:{uid}" in DOCKERFILE
    (made,) = re.findall(r"mkdir -p (.*?) && ", re.sub(r"\\\n\s*", "", DOCKERFILE))
    (owned,) = re.findall(rf"chown -R {uid}:{uid} (.*)", re.sub(r"\\\n\s*", "", DOCKERFILE))
    targets = {mount.target for name in OURS for mount in mounts(name) if not mount.is_bind}
    assert targets == set(made.split()), "a volume whose folder is not in the image would belong to root"
    assert all(any(target.startswith(folder) for folder in owned.split()) for target in targets)


def test_the_image_is_built_from_files_that_the_context_lets_through() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    assert {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "controlplane",
        "extproc",
        "proto",
        "envoy",
    } == kept
    assert all((ROOT / name).exists() for name in kept)


@pytest.mark.parametrize("service", SERVICES)
def test_no_container_may_more_than_it_needs(service: str) -> None:
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert not SERVICES[service]["image"].endswith(":latest")


def test_prometheus_trusts_the_ca_and_finds_its_files() -> None:
    job = SCRAPES["serinus-sidecar"]
    assert (job["scheme"], job["tls_config"]["server_name"]) == ("https", "localhost")
    mount = mount_of("prometheus", job["tls_config"]["ca_file"])
    assert mount is not None
    assert mount.source == "certs-trust"
    assert "scheme" not in SCRAPES["serinus-controlplane"]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    (source,) = yaml_of(f"{GRAFANA}/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml_of(f"{GRAFANA}/provisioning/dashboards/serinus.yaml")["providers"]
    folder = provider["options"]["path"]
    mount = mount_of("grafana", folder)
    assert mount is not None
    assert (ROOT / mount.source).resolve() == ROOT / GRAFANA / "dashboards"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(f"{folder}/")
    assert (ROOT / mount.source / home.removeprefix(f"{folder}/")).is_file()
    interval = yaml_of("envoy/observability/prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval
