"""What a service leans on (a vector store, a feature store, an identity provider), asked whether it answers."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controlplane.manifest.credential import UpstreamAuth
from controlplane.manifest.endpoint import Address
from controlplane.manifest.field import EveryMs, Name, Spec, TimerMs, as_tuple
from controlplane.manifest.hook import parse_url

TIMEOUT_MS_MAX = 10_000


def _timeout(value_ms: int) -> int:
    if value_ms > TIMEOUT_MS_MAX:
        raise ValueError("`timeout` is 10s at most: who needs longer to say that it lives does not")
    return value_ms


class Probe(Spec):
    """`url`: GET, below 400 is an answer. `tcp`: a connection is. It fails after `fails_after` in a row without one.

    `hold`: no step forward of a rollout of the service meanwhile; otherwise it is shown, and named as the finding.
    """

    name: Name
    url: Annotated[str, BeforeValidator(parse_url)] | None = None
    tcp: Address | None = None
    every_ms: EveryMs = Field(default=10_000, alias="every")
    timeout_ms: Annotated[TimerMs, AfterValidator(_timeout)] = Field(default=2_000, alias="timeout")
    fails_after: Annotated[int, Field(ge=1, le=10)] = 2
    hold: bool = False
    # A header from a file of the control plane's secrets directory.
    auth: UpstreamAuth | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Probe":
        if (self.url is None) == (self.tcp is None):
            raise ValueError("a probe needs exactly one of url, tcp")
        if self.auth is not None and self.url is None:
            raise ValueError("`auth` is a header, and a `tcp` probe sends none; next: give a url")
        return self


def _named_once(probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
    names = [each.name for each in probes]
    if len(names) != len(set(names)):
        raise ValueError("a name may stand in probes once")
    return probes


Probes = Annotated[tuple[Probe, ...], BeforeValidator(as_tuple), Field(max_length=16), AfterValidator(_named_once)]
