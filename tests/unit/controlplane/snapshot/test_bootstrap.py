"""The bootstrap, rendered from the shipped template."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from controlplane.snapshot.bootstrap import (
    BootstrapSettings,
    ClientTls,
    envoy_arguments,
    read_template,
    render,
)
from controlplane.snapshot.errors import BootstrapError


def _rendered(**settings: Any) -> dict[str, Any]:
    values = {"node_id": "envoy-1", "sidecar_sockets": ("run/extproc.sock",), **settings}
    loaded: dict[str, Any] = YAML(typ="safe").load(render(read_template(), BootstrapSettings(**values)))
    return loaded


def _cluster(bootstrap: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (c for c in bootstrap["static_resources"]["clusters"] if c["name"] == name)
    return dict(found)


def test_the_node_and_the_addresses_are_where_they_belong() -> None:
    bootstrap = _rendered(node_cluster="edge", admin_port=7_999, xds_host="10.0.0.1", xds_port=7_998)
    assert bootstrap["node"] == {"id": "envoy-1", "cluster": "edge"}
    assert bootstrap["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 7_999}
    endpoint = _cluster(bootstrap, "xds")["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"] == {"address": "10.0.0.1", "port_value": 7_998}
    assert _cluster(bootstrap, "xds")["type"] == "STATIC"
    assert _cluster(_rendered(xds_host="xds.internal"), "xds")["type"] == "STRICT_DNS"


def test_tags_go_to_every_worker_and_what_is_joined_by_request_goes_to_one() -> None:
    bootstrap = _rendered(sidecar_sockets=("run/extproc.sock.0", "run/extproc.sock.1"))
    sidecar, observe = (_cluster(bootstrap, name) for name in ("sidecar", "sidecar-observe"))
    for cluster, workers in ((sidecar, [0, 1]), (observe, [0])):
        endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        paths = [endpoint["endpoint"]["address"]["pipe"]["path"] for endpoint in endpoints]
        assert paths == [f"run/extproc.sock.{index}" for index in workers]
        assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
        assert cluster["health_checks"][0]["unhealthy_interval"] == "0.1s"
        assert cluster["load_assignment"]["cluster_name"] == cluster["name"]
    assert sidecar["lb_policy"] == "LEAST_REQUEST"
    ours = ("name", "load_assignment", "lb_policy")
    assert {k: v for k, v in sidecar.items() if k not in ours} == {k: v for k, v in observe.items() if k not in ours}


def test_ads_reconnects_with_the_back_off_that_was_asked_for() -> None:
    ads = _rendered(retry_base_ms=500, retry_max_ms=5_000)["dynamic_resources"]["ads_config"]
    back_off = ads["grpc_services"][0]["envoy_grpc"]["retry_policy"]["retry_back_off"]
    assert back_off == {"base_interval": "0.5s", "max_interval": "5.0s"}
    assert ads["set_node_on_first_message_only"] is True


def test_without_tls_the_transport_is_plain_and_with_it_both_sides_prove_themselves() -> None:
    assert _cluster(_rendered(), "xds")["transport_socket"]["name"] == "envoy.transport_sockets.raw_buffer"
    tls = ClientTls("ca.pem", "cert.pem", "key.pem")
    context = _cluster(_rendered(tls=tls), "xds")["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["validation_context"]["trusted_ca"] == {"filename": "ca.pem"}
    assert context["validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "IP_ADDRESS", "matcher": {"exact": "127.0.0.1"}}
    ]
    assert context["tls_certificates"][0]["private_key"] == {"filename": "key.pem"}
    named = _cluster(_rendered(tls=tls, xds_host="xds.internal"), "xds")["transport_socket"]["typed_config"]
    assert named["sni"] == "xds.internal"


@pytest.mark.parametrize("text", ['a"b', "a: {b}", "a\nadmin: 1", "${NODE_ID}", "'", "é"])
def test_no_value_can_change_the_file(text: str) -> None:
    bootstrap = _rendered(node_id=text)
    assert bootstrap["node"]["id"] == text
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"node_id": ""}, "node id"),
        ({"admin_host": "0.0.0.0"}, "not a loopback"),
        ({"admin_host": "localhost"}, "not a loopback"),
        ({"sidecar_sockets": ()}, "no sidecar socket"),
        ({"sidecar_sockets": ("x" * 108,)}, "more than 107 bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_do(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BootstrapError, match=message) as raised:
        _rendered(**settings)
    assert raised.value.next_step


def test_the_command_line_keeps_ext_proc_quiet_and_two_envoys_apart() -> None:
    arguments = envoy_arguments("run/bootstrap.yaml", workers=2)
    assert arguments[:2] == ("-c", "run/bootstrap.yaml")
    assert "ext_proc:error" in arguments
    assert "--disable-hot-restart" in arguments
    assert arguments[-2:] == ("--concurrency", "2")
    assert "--concurrency" not in envoy_arguments("run/bootstrap.yaml")
