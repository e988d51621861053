"""Endpoints and localities: what Envoy would refuse, or leave without traffic, is refused here in words."""

from typing import Any

import pytest
from pydantic import ValidationError

from controlplane.manifest.endpoint import Endpoint, Locality, check_localities, parse_endpoint


def place(zone: str = "a", **more: Any) -> Locality:
    return Locality.model_validate({"zone": zone, "endpoints": ["127.0.0.1:1"], **more})


@pytest.mark.parametrize(
    ("text", "shown", "is_named"),
    [
        ("127.0.0.1:8001", "127.0.0.1:8001", False),
        ("[::1]:8001", "[::1]:8001", False),
        ("models.internal:80", "models.internal:80", True),
        ("1.2.3:80", "1.2.3:80", True),
    ],
)
def test_an_endpoint_is_an_address_or_a_name(text: str, shown: str, is_named: bool) -> None:
    endpoint = parse_endpoint(text)
    assert isinstance(endpoint, Endpoint)
    assert (str(endpoint), endpoint.is_named) == (shown, is_named)


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:0", "127.0.0.1:65536", "a:x", 80])
def test_what_is_no_endpoint_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not an endpoint"):
        parse_endpoint(text)


def test_localities_of_several_priorities_and_weights_are_right() -> None:
    check_localities((place("a", weight=80), place("b", weight=20), place("a", weight=1, priority=1)))
    check_localities((place("a"), place("a", region="eu")))


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ((place("a"), place("a")), "locality a stands twice with priority 0; next: join their endpoints"),
        ((place("a", priority=1),), "priorities count from 0 without gaps; 0 is missing"),
        ((place("a"), place("b", priority=2)), "priorities count from 0 without gaps; 1 is missing"),
        ((place("a", weight=1), place("b")), "give every locality a weight, or none"),
        (
            (place("a", endpoints=["127.0.0.1:1"] * 600), place("b", endpoints=["127.0.0.1:1"] * 600)),
            "more than 1000 endpoints",
        ),
    ],
)
def test_localities_that_would_get_no_traffic_are_refused(places: tuple[Locality, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_localities(places)


@pytest.mark.parametrize(
    "bad", [{"zone": ""}, {"weight": 0}, {"priority": 128}, {"endpoints": []}, {"zone": "a b"}, {"share": 1}]
)
def test_a_locality_out_of_its_bounds_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        place(**bad)
