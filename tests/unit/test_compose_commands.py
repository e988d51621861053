"""The commands in docker-compose.yml: parsed by our own CLI, and where that is quick, run for real in a temporary place.

Checked: flags, addresses and ports that must agree between services, who listens beyond loopback and with what.
"""

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.exceptions import TyperException
from typer.testing import CliRunner

from controlplane.admin.access.client import read_tokens
from controlplane.cli.app import app
from controlplane.local import envoy_binary
from controlplane.local.demo import simserver
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.security.ca import served_hosts
from controlplane.security.errors import UnsafeListenError
from controlplane.security.listen import parse_listen, require_safe_listen
from extproc import settings as sidecar_settings
from tests.unit.compose_file import DOCUMENT, OURS, ROOT, SERVICES, argv, flag, mount_of, parse, port, yaml_of

TLS_FLAGS = ("tls-ca", "tls-cert", "tls-key")
MODELS = ("model-v1", "model-v2")
SCRAPES = {job["job_name"]: job for job in yaml_of("envoy/observability/prometheus.yml")["scrape_configs"]}


def serinus(*arguments: str) -> str:
    """Runs a command of the real CLI; its output."""
    answer = CliRunner().invoke(app, list(arguments))
    assert answer.exit_code == 0, answer.output
    return answer.output


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service `certs` makes, made by its own command."""
    directory = tmp_path_factory.mktemp("certs")
    assert flag("certs", "dir") == "/certs"
    serinus(*(str(directory) if word == "/certs" else word for word in argv("certs")))
    return directory


@pytest.fixture(scope="module")
def bootstrap(certs: Path) -> str:
    """What the service `bootstrap` writes, with the certificates where this test has them."""
    return serinus(*argv("bootstrap")).replace("/certs/", f"{certs}/")


@pytest.mark.parametrize("service", [name for name in OURS if name not in ("sidecar", *MODELS)])
def test_every_command_of_our_image_parses(service: str) -> None:
    assert parse(argv(service))


def test_a_flag_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TyperException):
        parse([*argv("controlplane"), "--no-such-flag"])
    with pytest.raises(TyperException):
        parse(["no-such-command"])


def test_the_sidecar_takes_its_command(certs: Path) -> None:
    assert argv("sidecar")[0] == "extproc"
    words = [word.replace("/certs/", f"{certs}/") for word in argv("sidecar")[1:]]
    settings = sidecar_settings.parse(words, {})
    assert settings.http_tls is not None, "Prometheus is told to speak TLS to it"


@pytest.mark.parametrize("service", MODELS)
def test_the_model_servers_take_their_commands(service: str) -> None:
    assert SERVICES[service]["entrypoint"] == ["python", "-m", "controlplane.local.demo.simserver"]
    arguments = simserver.parser().parse_args(argv(service))
    assert simserver.settings_of(arguments).model == service.replace("model", "chat")


def test_the_certificate_of_the_control_plane_is_for_the_name_that_others_use(certs: Path) -> None:
    names = {flag("bootstrap", "xds").rpartition(":")[0], flag("sidecar", "controlplane").rpartition(":")[0]}
    assert names == {"controlplane"}
    assert names <= served_hosts((certs / "controlplane/cert.pem").read_bytes())
    server_name = SCRAPES["serinus-sidecar"]["tls_config"]["server_name"]
    assert server_name in served_hosts((certs / "sidecar/cert.pem").read_bytes())


@pytest.mark.parametrize("service", ["controlplane", "bootstrap", "sidecar"])
def test_each_party_uses_its_own_certificate(service: str, certs: Path) -> None:
    user = "envoy" if service == "bootstrap" else service
    for name in TLS_FLAGS:
        path = flag(service, name)
        assert path.startswith(f"/certs/{user}/"), f"--{name}"
        assert (certs / path.removeprefix("/certs/")).is_file(), f"{path} is not made by `certs`"
        mount = mount_of(user, path)
        assert mount is not None
        assert mount.is_read_only


def test_the_operator_finds_its_certificate(certs: Path) -> None:
    environment = SERVICES["cli"]["environment"]
    for name in ("SERINUS_TLS_CA", "SERINUS_TLS_CERT", "SERINUS_TLS_KEY"):
        assert (certs / environment[name].removeprefix("/certs/")).is_file()
        assert mount_of("cli", environment[name]) is not None
    assert environment["SERINUS_ADMIN"] == flag("controlplane", "admin")
    assert SERVICES["cli"]["network_mode"] == "service:controlplane"


def test_every_environment_variable_of_ours_is_one_that_is_read() -> None:
    known = {"SERINUS_ADMIN", "SERINUS_TLS_CA", "SERINUS_TLS_CERT", "SERINUS_TLS_KEY", "HOME"}
    for name, service in OURS.items():
        assert set(service.get("environment", {})) <= known, name


def test_what_listens_beyond_loopback_has_tls_or_says_insecure_in_words() -> None:
    has_tls = all(flag("controlplane", name) for name in TLS_FLAGS)
    require_safe_listen(flag("controlplane", "xds"), has_tls=has_tls, insecure=False, flag="--xds")
    require_safe_listen(flag("controlplane", "admin"), has_tls=False, insecure=False, flag="--admin")
    with pytest.raises(UnsafeListenError):
        require_safe_listen(flag("controlplane", "http"), has_tls=False, insecure=False, flag="--http")
    assert "--insecure" in argv("controlplane"), "for the read-only --http alone"
    assert "--insecure" not in argv("sidecar")
    assert parse_listen(flag("sidecar", "envoy-admin"), flag="--envoy-admin").is_loopback


def test_the_paths_that_a_process_writes_are_on_a_volume() -> None:
    for service, name in (("controlplane", "state"), ("sidecar", "run-dir"), ("sidecar", "socket")):
        mount = mount_of(service, flag(service, name))
        assert mount is not None
        assert not mount.is_read_only


def test_the_bootstrap_is_written_where_envoy_reads_it() -> None:
    command = SERVICES["envoy"]["command"]
    path = command[command.index("--config-path") + 1]
    (line,) = SERVICES["bootstrap"]["command"]
    assert line.endswith(f"> {path}")
    writer, reader = mount_of("bootstrap", path), mount_of("envoy", path)
    assert writer is not None
    assert reader is not None
    assert (writer.source, writer.is_read_only) == (reader.source, False)


def test_the_bootstrap_agrees_with_control_plane_and_sidecar(bootstrap: str) -> None:
    document = YAML(typ="safe", pure=True).load(bootstrap)
    assert document["node"] == {"id": flag("sidecar", "node-id"), "cluster": flag("sidecar", "node-cluster")}
    admin = document["admin"]["address"]["socket_address"]
    assert f"{admin['address']}:{admin['port_value']}" == flag("sidecar", "envoy-admin")
    clusters = {cluster["name"]: cluster for cluster in document["static_resources"]["clusters"]}
    addresses = {
        name: [
            endpoint["endpoint"]["address"]
            for group in cluster["load_assignment"]["endpoints"]
            for endpoint in group["lb_endpoints"]
        ]
        for name, cluster in clusters.items()
    }
    xds = {"address": "controlplane", "port_value": port("controlplane", "xds")}
    assert addresses["xds"] == [{"socket_address": xds}]
    assert addresses["sidecar"] == [{"pipe": {"path": flag("sidecar", "socket")}}]
    assert port("sidecar", "controlplane") == port("controlplane", "xds")


def test_envoy_accepts_the_bootstrap(bootstrap: str, tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(bootstrap, encoding="utf-8")
    command = [str(envoy_binary.find()), "--mode", "validate", "--log-level", "error", "--config-path", str(path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr


def test_prometheus_scrapes_the_ports_that_are_served() -> None:
    assert SCRAPES["serinus-controlplane"]["static_configs"] == [
        {"targets": [f"controlplane:{port('controlplane', 'http')}"]}
    ]
    owner = SERVICES["sidecar"]["network_mode"].removeprefix("service:")
    assert SCRAPES["serinus-sidecar"]["static_configs"] == [{"targets": [f"{owner}:{port('sidecar', 'http')}"]}]


def test_prometheus_tells_alertmanager_which_tells_the_control_plane_with_its_token() -> None:
    (told,) = yaml_of("envoy/observability/prometheus.yml")["alerting"]["alertmanagers"]
    assert told["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    receivers = {each["name"]: each for each in yaml_of("envoy/observability/alertmanager.yml")["receivers"]}
    (hook,) = receivers["serinus"]["webhook_configs"]
    assert hook["url"] == f"http://controlplane:{port('controlplane', 'http')}/api/v1/alerts"
    token = hook["http_config"]["authorization"]["credentials_file"]
    (line,) = SERVICES["tokens"]["command"]
    assert line.endswith(f"> {token}")
    reader, writer = mount_of("alertmanager", token), mount_of("tokens", token)
    assert reader is not None
    assert writer is not None
    assert (reader.source, reader.is_read_only) == (writer.source, True)


def test_the_token_is_one_that_the_control_plane_takes(tmp_path: Path) -> None:
    file, mount = flag("tokens", "file"), mount_of("controlplane", flag("controlplane", "tokens"))
    assert file == flag("controlplane", "tokens")
    assert mount is not None
    assert mount.source == getattr(mount_of("tokens", file), "source", "")
    here = tmp_path / "tokens"
    for _ in range(2):  # at each `up` anew
        serinus(*(str(here) if word == file else word for word in argv("tokens")))
        (token,) = read_tokens(here)
        assert (token.name, token.role) == ("alertmanager", "operator")


def test_published_ports_are_ports_that_somebody_listens_on() -> None:
    served = {
        "envoy": {port("controlplane", "listen")},
        "controlplane": {port("controlplane", "http")},
        "prometheus": {9090},
        "alertmanager": {9093},
        "grafana": {3000},
    }
    published = {
        name: {int(text.rpartition(":")[2]) for text in service["ports"]}
        for name, service in SERVICES.items()
        if "ports" in service
    }
    assert published == served


def test_the_manifests_are_valid_and_name_the_model_servers() -> None:
    folder = ROOT / "docs/examples/compose"
    files = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    specs = [manifest.spec for manifest in load(files)]
    (service,) = [spec for spec in specs if isinstance(spec, ServiceSpec)]
    (rollout,) = [spec for spec in specs if isinstance(spec, RolloutSpec)]
    endpoints = {version.name: [str(each) for each in version.endpoints] for version in service.versions}
    assert endpoints == {name.removeprefix("model-"): [f"{name}:{port(name, 'port')}"] for name in MODELS}
    assert rollout.candidate in endpoints
    mount = mount_of("controlplane", flag("controlplane", "manifest"))
    assert mount is not None
    assert (ROOT / mount.source).resolve() == folder
    assert (folder / Path(flag("controlplane", "manifest")).name).is_file()


def test_the_commands_in_the_head_of_the_file_parse() -> None:
    lines = (ROOT / "docker-compose.yml").read_text(encoding="utf-8").splitlines()
    shown = [line.partition("run --rm cli ")[2].split() for line in lines if line.startswith("#   docker compose")]
    assert len(shown) == 4
    for words in shown:
        assert parse(words)
    assert DOCUMENT["name"] == "serinus"
