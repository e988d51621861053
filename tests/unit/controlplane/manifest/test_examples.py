"""The manifests in the documents are right, each file by itself or with those that it builds on."""

from pathlib import Path

import pytest

from controlplane.manifest.load import load
from controlplane.manifest.proxy_group import DEFAULT_GROUP
from controlplane.manifest.rules import check
from controlplane.manifest.schema import ServiceSpec

EXAMPLES = Path(__file__).parents[4] / "docs/examples"
BUILDS_ON = {"chat-v2.yaml": ("chat.yaml",), "alerts.yaml": ("chat.yaml",)}


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_an_example_is_accepted_as_it_stands(name: str) -> None:
    names = (*BUILDS_ON.get(name, ()), name)
    manifests = load([(each, (EXAMPLES / each).read_text(encoding="utf-8")) for each in names])
    services = {each.name: each.spec for each in manifests if isinstance(each.spec, ServiceSpec)}
    groups = {each.name for each in manifests if each.kind == "ProxyGroup"} or {DEFAULT_GROUP}
    assert check(manifests, services, {}, groups=groups) == []
