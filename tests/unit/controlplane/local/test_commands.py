import json
import sys
from pathlib import Path

from ruamel.yaml import YAML

from controlplane.local.commands import ShippedCommands, bootstrap_text
from controlplane.local.rundir import RunDir
from controlplane.local.settings import StackSettings

RUN = RunDir(Path("/s/run"), Path("/s/logs"), Path("/s/run/extproc.sock"))
SETTINGS = StackSettings(Path("/s"), manifests=(Path("a.yaml"), Path("b.yaml")))
COMMANDS = ShippedCommands(Path("/bin/envoy"))


def test_the_control_plane_gets_its_addresses_and_the_manifests_at_the_first_start_only() -> None:
    spec = COMMANDS.controlplane(SETTINGS, RUN)
    again = (sys.executable, "-m", "controlplane", "controlplane", "--state", "/s")
    again += ("--admin", "127.0.0.1:7400", "--xds", "127.0.0.1:7401", "--http", "127.0.0.1:7402")
    again += ("--listen", "127.0.0.1:8080")
    assert spec.argv_again == again
    assert spec.argv == (*again, "--manifest", "a.yaml", "--manifest", "b.yaml")


def test_the_sidecar_gets_its_socket_and_both_its_neighbours() -> None:
    spec = COMMANDS.extproc(SETTINGS, RUN)
    flags = dict(zip(spec.argv[3::2], spec.argv[4::2], strict=True))
    assert spec.argv[:3] == (sys.executable, "-m", "extproc")
    assert flags == {
        "--socket": "/s/run/extproc.sock",
        "--run-dir": "/s/run",
        "--controlplane": "127.0.0.1:7401",
        "--http": "127.0.0.1:7412",
        "--envoy-admin": "127.0.0.1:7420",
        "--node-id": "local",
        "--node-cluster": "default",
    }


def test_insecure_is_handed_on_in_words() -> None:
    insecure = StackSettings(Path("/s"), insecure=True)
    assert COMMANDS.controlplane(insecure, RUN).argv[-1] == "--insecure"
    assert COMMANDS.extproc(insecure, RUN).argv[-1] == "--insecure"


def test_envoy_tells_every_connection_to_close_when_it_drains() -> None:
    spec = COMMANDS.envoy(SETTINGS, RUN)
    assert spec.argv[:3] == ("/bin/envoy", "-c", "/s/run/envoy.yaml")
    assert " ".join(spec.argv).endswith("--drain-strategy immediate --drain-time-s 10")


def test_the_bootstrap_names_this_stacks_addresses() -> None:
    text = bootstrap_text(StackSettings(Path("/s"), xds="127.0.0.1:1234", envoy_admin="[::1]:4321"), RUN.socket)
    said = json.dumps(YAML(typ="safe").load(text))
    assert '"port_value": 1234' in said
    assert '{"address": "::1", "port_value": 4321}' in said
    assert "/s/run/extproc.sock" in said
    assert '{"id": "local", "cluster": "default"}' in said
