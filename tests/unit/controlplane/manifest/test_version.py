"""A version: its defaults, its two ways to say where its servers are, and what does not go together."""

from typing import Any

import pytest
from pydantic import ValidationError

from controlplane.manifest.version import DnsFamily, HttpVersion, Version


def version(**keys: Any) -> Version:
    where = {} if "localities" in keys else {"endpoints": ["127.0.0.1:8001", "[::1]:8002"]}
    return Version.model_validate({"name": "v1", **where, **keys})


def test_a_plain_version_keeps_envoys_rules_and_the_defaults_written_here() -> None:
    plain = version()
    assert plain.connection.protocol is HttpVersion.HTTP1
    assert (plain.connection.connect_timeout_ms, plain.connection.idle_timeout_ms) == (2_000, 4_000)
    assert (plain.health.unhealthy_after, plain.health.healthy_after) == (2, 1)
    assert (plain.outlier, plain.tls, plain.auth, plain.dns, plain.slow_start_ms) == (None,) * 5
    assert plain.files == frozenset()


def test_endpoints_are_one_place_without_a_weight() -> None:
    (place,) = version().places
    assert [str(endpoint) for endpoint in place.endpoints] == ["127.0.0.1:8001", "[::1]:8002"]
    assert (place.zone, place.region, place.weight, place.priority) == ("", None, None, 0)


def test_localities_are_places_as_written() -> None:
    spread = version(
        localities=[
            {"zone": "eu-1a", "weight": 80, "endpoints": ["127.0.0.1:1"]},
            {"zone": "eu-1b", "weight": 20, "priority": 0, "endpoints": ["127.0.0.1:2", "127.0.0.1:3"]},
        ]
    )
    assert [(place.zone, place.weight) for place in spread.places] == [("eu-1a", 80), ("eu-1b", 20)]
    assert [endpoint.port for endpoint in spread.servers] == [1, 2, 3]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"endpoints": []}, "at least 1 item"),
        ({"localities": []}, "exactly one of endpoints, localities"),
        (
            {"localities": [{"zone": "a", "endpoints": ["127.0.0.1:1"]}], "endpoints": ["127.0.0.1:1"]},
            "exactly one of endpoints, localities",
        ),
        ({"dns": {"refresh": "1s"}}, "`dns` is for endpoints that are names"),
        ({"health": {"grpc": True}}, "needs connection: {protocol: http/2}"),
        ({"health": {"grpc": True, "path": "/"}, "connection": {"protocol": "http/2"}}, "takes no `path`"),
        ({"health": {"interval": "0s"}}, "longer than 0s"),
        ({"health": {"unhealthy_after": 0}}, "greater than or equal to 1"),
        ({"outlier": {"max_ejected": "0%"}}, "whole number of percent above 0%"),
        ({"outlier": {"max_ejected": "0.5%"}}, "whole number of percent above 0%"),
        ({"connection": {"protocol": "h2"}}, "'h2' is none of http/1.1, http/2, auto"),
        ({"connection": {"requests_max": 0}}, "greater than or equal to 1"),
        ({"endpoints": ["localhost:1"], "dns": {"family": "v5"}}, "'v5' is none of v4, v6, auto, v4-preferred"),
        ({"slow_start": "30"}, "is not a duration"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        version(**keys)


def test_names_may_be_resolved_as_asked() -> None:
    named = version(endpoints=["localhost:1", "127.0.0.1:2"], dns={"refresh": "1s", "family": "v6"})
    assert named.is_named
    assert named.dns is not None
    assert (named.dns.refresh_ms, named.dns.family) == (1_000, DnsFamily.V6)


@pytest.mark.parametrize(
    ("connection", "streams", "requests_max"),
    [
        ({}, False, 90),
        ({}, True, 1),
        ({"requests_max": 7}, True, 7),
        ({"protocol": "auto"}, True, 1),
        ({"protocol": "http/2"}, True, None),
        ({"protocol": "http/2", "requests_max": 1000}, False, 1000),
    ],
)
def test_a_streaming_server_on_http_1_gets_a_connection_a_request(
    connection: dict[str, Any], streams: bool, requests_max: int | None
) -> None:
    assert version(connection=connection).requests_max(streams=streams) == requests_max


def test_a_version_names_its_secret_files_once() -> None:
    secured = version(tls={"ca": "a", "cert": "b", "key": "b"}, auth={"file": "c"})
    assert secured.files == {"a", "b", "c"}


def test_versions_of_one_content_are_one_key() -> None:
    assert hash(version(outlier={})) == hash(version(outlier={}))
    assert version(outlier={}) == version(outlier={"consecutive_5xx": 5})
