"""What the sidecar saw of one response body, as a value."""

from dataclasses import dataclass

from serinus.contract.metric import TOKENS_OUT, TPOT

# No model has so long an answer; a server may write any number.
TOKENS_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed response.

    `observable` False: the body could not be read (compressed, over-long, of another form); nothing else counts then.
    `complete`: the end of the body was seen, so what is missing was never sent. `finish_reason` as the server wrote
    it, None if there was none. `tokens_out`: tokens of the answer, None if they could not be told. `is_paced`: they
    came one after the other, of one choice, so that their pace is the model's.
    """

    observable: bool
    complete: bool = False
    finish_reason: str | None = None
    has_content: bool = False
    error_frame: bool = False
    tokens_out: int | None = None
    is_paced: bool = False

    def measures(self, stream_us: int | None) -> tuple[tuple[str, int], ...]:
        """Values for histograms, as (metric of the contract, value in its unit). `stream_us`: from the first byte of
        the body to its last, by the proxy's clock."""
        tokens = self.tokens_out
        if not tokens or not self.complete:
            return ()
        if not self.is_paced or stream_us is None or tokens == 1:
            return ((TOKENS_OUT, tokens),)
        return ((TPOT, max(0, stream_us) // (tokens - 1)), (TOKENS_OUT, tokens))


UNOBSERVABLE = Observation(observable=False)
