"""What the sidecar saw of one response body, as a value."""

from dataclasses import dataclass

from serinus.contract.metric import TOKEN_GAP, TOKENS_CACHED, TOKENS_IN, TOKENS_OUT, TPOT, Measures


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed response.

    `observable` False: the body could not be read (its coding or form, its length); nothing else counts then.
    `complete`: the end of the body was seen, so what is missing was never sent. `finish_reason`: why the answer ended,
    "" of an API that never says, None if it has not ended; of a refusal `context_too_long` or None. `content_us`: when
    the first content of a stream came here, since 1970; `gap_us`: its longest pause after that, None if it was there at
    once. `tokens_out`: tokens of the answer, None if they could not be
    told; `tokens_in`: of the prompt, and `tokens_cached` those of them that the server had kept. `is_stream`: the
    answer came piece by piece; `is_paced`: of one choice, so that the pace is the model's. `quality`: what the answer
    itself says of it, as badness by signal.
    """

    observable: bool
    complete: bool = False
    finish_reason: str | None = None
    has_content: bool = False
    content_us: int | None = None
    gap_us: int | None = None
    error_frame: bool = False
    tokens_out: int | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    is_stream: bool = False
    is_paced: bool = False
    quality: Measures = ()

    @property
    def said(self) -> tuple[object, ...]:
        """What decides how the response is counted, but for its sizes."""
        return self.observable, self.complete, self.finish_reason, self.has_content, self.error_frame, self.is_stream

    def sizes(self, start_us: int, first_us: int | None, finished_us: int | None) -> tuple[int | None, Measures]:
        """The time to what the user first saw, and the values for histograms: see `times` and `measures`. Of a body
        that could not be read, what the proxy knows."""
        if not self.observable:
            return first_us, ()
        ttft_us, stream_us = self.times(start_us, first_us, finished_us)
        # A whole answer has no first token: its first byte is its end.
        return ttft_us if self.is_stream else None, self.measures(stream_us)

    def times(self, start_us: int, first_us: int | None, finished_us: int | None) -> tuple[int | None, int | None]:
        """From the request's start to what the user first saw, and from there to the last byte. `first_us` and
        `finished_us`: to the response's first and last byte, by the proxy's clock, which bound what ours says: a stream
        may begin with its role, or with a comment, long before its first token."""
        if first_us is None:
            return None, None
        if self.content_us is not None:
            content_us = self.content_us - start_us
            first_us = max(first_us, content_us if finished_us is None else min(content_us, finished_us))
        return first_us, None if finished_us is None else finished_us - first_us

    def measures(self, stream_us: int | None) -> Measures:
        """`stream_us`: from the first content to the last byte."""
        if not self.complete:
            return ()
        tokens, found = self.tokens_out, []
        if tokens:
            if self.is_paced and stream_us is not None and tokens > 1:
                found.append((TPOT, max(0, stream_us) // (tokens - 1)))
            found.append((TOKENS_OUT, tokens))
        if self.gap_us is not None:
            found.append((TOKEN_GAP, max(0, self.gap_us)))
        found += self.quality
        found += [(name, n) for name, n in ((TOKENS_IN, self.tokens_in), (TOKENS_CACHED, self.tokens_cached)) if n]
        return tuple(found)


UNOBSERVABLE = Observation(observable=False)
