"""Where servers listen: `address:port`, and localities that hold several of them."""

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, Field

from controlplane.manifest.field import Spec, as_tuple

# Of one version. Envoy takes more; a manifest of more is better served by a DNS name.
ENDPOINTS_MAX = 1000


class Endpoint(Spec):
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
    port: int

    @property
    def is_named(self) -> bool:
        """A DNS name, that somebody has to resolve, and no IP address."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return True
        return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: object) -> object:
    """`"127.0.0.1:8001"`, `"[::1]:8001"` or `"models.internal:8001"`. Raises ValueError on another form."""
    if not isinstance(text, str):
        raise ValueError(f'{text!r} is not an endpoint; write it as "address:port"')
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f'{text!r} is not an endpoint; write it as "address:port", for example 127.0.0.1:8001')
    return Endpoint(host=host.removeprefix("[").removesuffix("]"), port=int(port))


Address = Annotated[Endpoint, BeforeValidator(parse_endpoint)]
Endpoints = Annotated[tuple[Address, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=ENDPOINTS_MAX)]
_Place = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,63}$")]


class Locality(Spec):
    """Servers that stand together. `weight` is their share among localities of one priority; a lower `priority`
    number serves alone for as long as enough of its servers are healthy."""

    zone: _Place
    region: _Place | None = None
    # Envoy sums weights as 32-bit numbers.
    weight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    # Envoy's own bound.
    priority: Annotated[int, Field(ge=0, le=127)] = 0
    endpoints: Endpoints


def check_localities(localities: tuple[Locality, ...]) -> None:
    """Raises ValueError for a set of localities that Envoy would refuse, or silently leave without traffic."""
    places = [(place.priority, place.region, place.zone) for place in localities]
    for place in places:
        if places.count(place) > 1:
            raise ValueError(f"locality {place[2]} stands twice with priority {place[0]}; next: join their endpoints")
    priorities = {place.priority for place in localities}
    missing = set(range(max(priorities))) - priorities
    if missing:
        raise ValueError(f"priorities count from 0 without gaps; {min(missing)} is missing")
    weighted = [place.weight is not None for place in localities]
    if any(weighted) and not all(weighted):
        raise ValueError("give every locality a weight, or none: one without would get no traffic")
    if sum(len(place.endpoints) for place in localities) > ENDPOINTS_MAX:
        raise ValueError(f"more than {ENDPOINTS_MAX} endpoints; next: use a DNS name")
