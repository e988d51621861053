"""`probes` of a service and `logs` of a version, as people write them."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.probe import Probe
from controlplane.manifest.schema import ServiceSpec
from controlplane.manifest.server_logs import ServerLogs
from tests.unit.controlplane.manifest.samples import SERVICE


def test_a_probe_in_its_two_forms() -> None:
    probe = Probe.model_validate({"name": "store", "tcp": "10.0.0.4:6333"})
    assert (str(probe.tcp), probe.every_ms, probe.timeout_ms, probe.fails_after, probe.hold) == (
        "10.0.0.4:6333",
        10_000,
        2_000,
        2,
        False,
    )
    web = {"name": "idp", "url": "https://idp/health", "every": "1s", "hold": True, "auth": {"file": "idp"}}
    assert Probe.model_validate(web).url == "https://idp/health"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "store"},
        {"name": "store", "tcp": "10.0.0.4:6333", "url": "http://10.0.0.4/"},
        {"name": "store", "tcp": "10.0.0.4"},
        {"name": "store", "tcp": "10.0.0.4:6333", "auth": {"file": "x"}},
        {"name": "store", "url": "http://ada:secret@x/"},
        {"name": "store", "url": "http://x/", "every": "100ms"},
        {"name": "store", "url": "http://x/", "timeout": "1m"},
        {"name": "store", "url": "http://x/", "fails_after": 0},
    ],
)
def test_a_probe_that_could_not_be_asked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Probe.model_validate(wrong)


def test_logs_are_hashable_and_patterns_in_the_order_of_their_names() -> None:
    logs = ServerLogs.model_validate({"files": ["llama/v2.log"], "patterns": {"oom": "out of memory", "cuda": "CUDA"}})
    assert logs.patterns == (("cuda", "CUDA"), ("oom", "out of memory"))
    assert hash(logs) == hash(logs.model_copy())


@pytest.mark.parametrize(
    "wrong",
    [
        {"patterns": {"oom": "x"}},
        {"files": ["v2.log"]},
        {"files": ["v2.log"], "patterns": {}},
        {"files": ["v2.log"], "patterns": {"oom": "("}},
        {"files": ["v2.log"], "patterns": {"oom": "(?=x)"}},
        {"files": ["v2.log"], "patterns": {"oom": ""}},
        {"files": ["v2.log"], "patterns": {"Not A Name": "x"}},
        {"files": ["/etc/shadow"], "patterns": {"oom": "x"}},
        {"files": ["../v2.log"], "patterns": {"oom": "x"}},
        {"files": ["a/../../v2.log"], "patterns": {"oom": "x"}},
        {"files": ["v2.log\n"], "patterns": {"oom": "x"}},
        {"units": ["--file=/etc/shadow"], "patterns": {"oom": "x"}},
        {"units": ["sshd"], "patterns": {"oom": "x"}},
        {"files": ["v2.log"], "patterns": {f"p{number}": "x" for number in range(17)}},
    ],
)
def test_logs_that_could_not_be_followed_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServerLogs.model_validate(wrong)


def test_both_stand_in_a_service() -> None:
    text = SERVICE + "  probes: [{name: store, tcp: '10.0.0.4:6333', hold: true}]\n"
    text = text.replace('8002"],', '8002"], logs: {files: [v2.log], patterns: {oom: out of memory}},')
    (manifest,) = load([("chat.yaml", text)])
    assert isinstance(manifest.spec, ServiceSpec)
    assert [probe.name for probe in manifest.spec.probes] == ["store"]
    assert manifest.spec.versions[1].logs == ServerLogs(files=("v2.log",), patterns=(("oom", "out of memory"),))
    twice = text.replace("hold: true}]", "hold: true}, {name: store, tcp: 'x:1'}]")
    with pytest.raises(ManifestError, match="a name may stand in probes once"):
        load([("chat.yaml", twice)])
