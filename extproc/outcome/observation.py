"""What the sidecar saw of one response body, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed response.

    `observable` False: the body could not be read (compressed, over-long, of another form); nothing else counts then.
    `complete`: the end of the body was seen, so what is missing was never sent. `finish_reason` as the server wrote
    it, None if there was none. `measures`: values for histograms, as (metric of the contract, value in its unit).
    """

    observable: bool
    complete: bool = False
    finish_reason: str | None = None
    has_content: bool = False
    error_frame: bool = False
    measures: tuple[tuple[str, int], ...] = ()


UNOBSERVABLE = Observation(observable=False)
