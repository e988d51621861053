"""Why a server refused a request, from the body of its 4xx: was the prompt too long for the model's context?

That is the client's fault, and yet it tells versions apart: one with a smaller context refuses what the other answers.
Servers say it by a code (OpenAI, llama.cpp, Anthropic's size limit) or in words alone (vLLM, SGLang, TGI, Anthropic).
A body over the bound, or in another form, is not looked into: the refusal stays a plain error of the client.
Pure; never raises.
"""

import re

from extproc.outcome.document import Json, object_in, object_of, text_of
from extproc.outcome.encoding import decoder_of
from extproc.outcome.headers import HeaderLookup, coding_of, media_type
from extproc.outcome.observation import UNOBSERVABLE, Observation
from serinus.contract.outcome import OutcomeClass

# What OpenAI, vLLM, llama.cpp, SGLang and Anthropic answer with; Anthropic also with 413, TGI with 422.
STATUSES = frozenset({b"400", b"413", b"422"})
# A refusal is some hundred bytes; validators that repeat the request stand behind this.
BODY_BYTES_MAX = 16 * 1024
_WORDS_CHARS_MAX = 2_048
_KINDS = frozenset({"context_length_exceeded", "exceed_context_size_error", "request_too_large"})
_WORDS = re.compile(
    r"maximum context length|available context size|context length exceeded|exceeds? (?:the )?(?:model's )?context"
    r"|too long to fit into the model|longer than the (?:model's context length|maximum model length)"
    r"|prompt is too long|input is too long|(?:must have less than|must be <=) \d+",
    re.IGNORECASE,
)


class RefusalSession:
    """Of one refused request. Mutable; what a `ResponseSession` offers."""

    def __init__(self, headers: HeaderLookup) -> None:
        coding = coding_of(headers)
        self._decoder = decoder_of(coding) if coding else None
        self._body = bytearray()
        is_decoded = not coding or self._decoder is not None
        # False when further pieces would tell nothing.
        self.is_observable = is_decoded and media_type(headers) in (b"application/json", b"application/problem+json")

    def body(self, chunk: bytes, _at_us: int | None = None) -> None:
        """One piece of the body, in order. When it came is of no account."""
        pieces = (chunk,) if self._decoder is None else self._decoder.feed(chunk)
        for piece in pieces:
            self._body += piece
            if len(self._body) > BODY_BYTES_MAX:
                self.is_observable = False
                return

    def end(self, *, complete: bool) -> Observation:
        value = object_of(bytes(self._body)) if complete and self.is_observable else None
        if value is None:
            return UNOBSERVABLE
        reason = OutcomeClass.CONTEXT_TOO_LONG.value if is_too_long(value) else None
        return Observation(observable=True, complete=True, finish_reason=reason)


def is_too_long(value: Json) -> bool:
    """Of a refusal's document: its error, or the document where that is the error itself."""
    error = object_in(value, "error") or value
    if text_of(error, "code") in _KINDS or text_of(error, "type") in _KINDS:
        return True
    said = (text_of(error, "message"), text_of(error, "error"), text_of(error, "detail"))
    return any(_WORDS.search(words[:_WORDS_CHARS_MAX]) for words in said)
