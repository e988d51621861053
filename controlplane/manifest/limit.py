"""How much a version, an arm or a cohort may take. Each number is a proxy's own: two let through twice of it."""

from typing import Annotated

from pydantic import Field, model_validator

from controlplane.manifest.field import Name, Spec

# A local rate limit counts tokens in 32 bits; past a million a second a proxy is full anyway.
_Number = Annotated[int, Field(ge=1, le=1_000_000)]

# Names in `limits` that mean a role, whichever version plays it.
CANDIDATE, BASELINE = "candidate", "baseline"


class Limit(Spec):
    """`requests_per_second`; `burst` requests at once after a quiet while (default: a second's worth); `concurrent`
    requests at one time, streams that still run included. What is over the rate is answered 429 by the proxy, what is
    over `concurrent` 503."""

    requests_per_second: _Number | None = None
    burst: _Number | None = None
    concurrent: _Number | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> "Limit":
        if self.requests_per_second is None and self.concurrent is None:
            raise ValueError("a limit needs requests_per_second, concurrent, or both")
        if self.burst is not None and self.requests_per_second is None:
            raise ValueError("burst needs requests_per_second")
        return self


class Limits(dict[Name, Limit]):
    """By name of an arm, a version or a cohort. Hashable, as every other value of a spec; never changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))
