"""What a Prometheus has to say before a rollout goes on. Its answers hold; they never roll back."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controlplane.manifest.credential import UpstreamAuth
from controlplane.manifest.field import EveryMs, Name, Spec, as_tuple
from controlplane.manifest.hook import parse_url


def _parse_base(value: object) -> object:
    url = parse_url(value)
    assert isinstance(url, str), "that is what it gives"
    if urlsplit(url).query:
        raise ValueError(f"{value!r} has a query; write Prometheus's address, for example http://127.0.0.1:9090")
    return url.rstrip("/")


def _parse_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError(f"{value!r} is no number as PromQL answers them, for example 0.02")
    return float(value)


Limit = Annotated[float, BeforeValidator(_parse_number)]


class PromQuery(Spec):
    """Every series of the answer must be within `min` and `max`; no series at all is no answer."""

    name: Name
    url: Annotated[str, BeforeValidator(_parse_base)]
    query: Annotated[str, Field(min_length=1, max_length=2_000)]
    max: Limit | None = None
    min: Limit | None = None
    every_ms: EveryMs = Field(default=30_000, alias="every")
    # A header from a file of the control plane's secrets directory.
    auth: UpstreamAuth | None = None

    @model_validator(mode="after")
    def _limited(self) -> "PromQuery":
        if self.max is None and self.min is None:
            raise ValueError("a query holds by `max` or `min`; this has neither")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError("`min` is above `max`: it would always hold")
        return self


def _named_once(queries: tuple[PromQuery, ...]) -> tuple[PromQuery, ...]:
    names = [each.name for each in queries]
    if len(names) != len(set(names)):
        raise ValueError("a name may stand in promql once")
    return queries


PromQueries = Annotated[
    tuple[PromQuery, ...], BeforeValidator(as_tuple), Field(max_length=10), AfterValidator(_named_once)
]
