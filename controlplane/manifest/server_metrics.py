"""What a version's servers say of themselves: where to read it, and the cap on a rollout that follows from it."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from controlplane.manifest.field import PercentBp, Spec, as_tuple
from controlplane.manifest.hook import parse_url

_Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]
_Value = Annotated[str, Field(max_length=128)]


def _pairs(value: object) -> object:
    """A mapping as pairs in order: a spec can be hashed."""
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


class ServerMetrics(Spec):
    """`path` and `port` of each endpoint's exposition, in clear text; `urls` of exporters beside it, such as a GPU's.

    `labels`: series that carry one of these with another value are another model's. `process`: of an endpoint on
    loopback, processor, memory and disk of the process that listens there. `scrape: false`: only that, and `urls`.
    """

    path: Annotated[str, Field(pattern=r"^/[!-~]{0,200}$")] = "/metrics"
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    urls: Annotated[
        tuple[Annotated[str, BeforeValidator(parse_url)], ...], BeforeValidator(as_tuple), Field(max_length=8)
    ] = ()
    labels: Annotated[tuple[tuple[_Label, _Value], ...], BeforeValidator(_pairs), Field(max_length=8)] = ()
    process: bool = True
    scrape: bool = True


class Capacity(Spec):
    """No step ends while a server of the candidate is above one of these; never a rollback. `missing`: what is not
    known holds too; by default it does not."""

    kv_cache_bp: PercentBp | None = Field(default=None, alias="kv_cache")
    queue: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    missing_holds: bool = Field(default=False, alias="hold_on_missing")

    @model_validator(mode="after")
    def _says_something(self) -> "Capacity":
        if self.kv_cache_bp is None and self.queue is None:
            raise ValueError("a capacity needs kv_cache, queue or both, for example {kv_cache: 90%, queue: 50}")
        return self
