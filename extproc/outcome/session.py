"""One observed response: headers -> chunks -> end = one Observation. No clock, no I/O, never raises on any input.

A body in a coding that is not read here, of another content type or over the bound is unobservable, not bad. A 200 is
worth a look inside, and a refusal that may say why (`refused.py`): what other statuses mean, the access log tells.
"""

from extproc.outcome.asked import NOTHING_ASKED, Asked
from extproc.outcome.dialect import AnyReader
from extproc.outcome.encoding import Decoder, decoder_of
from extproc.outcome.headers import HeaderLookup, coding_of, media_type
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.outcome.refused import STATUSES, RefusalSession
from extproc.outcome.said import Said
from extproc.outcome.sse import SseParser

# A whole chat completion is a few KB; 100,000 tokens with log probabilities reach some MB and are given up on.
BODY_BYTES_MAX = 1024 * 1024
# Behind a stream's first content it does not matter when an event is read: so many bytes are put by and read together,
# about 20 tokens, at half the cost of one at a time between other work.
PUT_BY_BYTES_MAX = 4 * 1024


class ResponseSession:
    """Mutable; one per response."""

    def __init__(self, headers: HeaderLookup, asked: Asked = NOTHING_ASKED) -> None:
        self._reader = AnyReader(Said(asked))
        self._sse: SseParser | None = None
        self._body: bytearray | None = None
        self._content_us: int | None = None
        self._piece_us = 0  # when the newest piece came
        self._gap_us: int | None = None
        self._put_by = bytearray()
        self._decoder: Decoder | None = None
        coding = coding_of(headers)
        if coding:
            self._decoder = decoder_of(coding)
            if self._decoder is None:
                return
        match media_type(headers):
            case b"text/event-stream":
                self._sse = SseParser()
            case b"application/json":
                self._body = bytearray()

    def keep_answer(self) -> None:
        """From now on all of the answer's text, for as long as it lasts."""
        self._reader.said.keeps_answer = True

    @property
    def answer(self) -> str | None:
        """What was kept; None if it was not, or was none."""
        return self._reader.said.answer

    @property
    def is_observable(self) -> bool:
        """False when further pieces would tell nothing."""
        if self._decoder is not None and self._decoder.is_broken:
            return False
        return self._body is not None or (self._sse is not None and not self._sse.is_overflowed)

    def body(self, chunk: bytes, at_us: int | None = None) -> None:
        """One piece of the body, in order. `at_us`: when it came, since 1970."""
        if self._decoder is None:
            self._plain(chunk, at_us)
            return
        for piece in self._decoder.feed(chunk):
            self._plain(piece, at_us)
            if not self.is_observable:
                return

    def _plain(self, chunk: bytes, at_us: int | None) -> None:
        if self._sse is not None:
            if self._content_us is None:
                self._events(self._sse, chunk)
                if self._reader.has_content and at_us is not None:
                    self._content_us = self._piece_us = at_us
                return
            if at_us is not None:
                if at_us - self._piece_us > (self._gap_us or 0):
                    self._gap_us = at_us - self._piece_us
                self._piece_us = at_us
            self._put_by += chunk
            if len(self._put_by) > PUT_BY_BYTES_MAX:
                self._catch_up(self._sse)
        elif self._body is not None:
            self._body += chunk
            if len(self._body) > BODY_BYTES_MAX:
                self._body = None

    def _catch_up(self, sse: SseParser) -> None:
        chunk, self._put_by = bytes(self._put_by), bytearray()
        self._events(sse, chunk)

    def _events(self, sse: SseParser, chunk: bytes) -> None:
        for event in sse.feed(chunk):
            self._reader.event(event)

    def end(self, *, complete: bool) -> Observation:
        """The stream is over; `complete`: by the end of the body, else it was cut off from our sight."""
        reader = self._reader
        if self._sse is not None and self._put_by:
            self._catch_up(self._sse)
        complete = complete and (self._decoder is None or self._decoder.is_whole)
        if complete and self._sse is not None:
            for event in self._sse.finish():
                reader.event(event)
        elif complete and self._body:
            # Half a document says nothing; a whole one that is no JSON is a generation without a finish_reason.
            reader.document(bytes(self._body))
        if not self.is_observable or not reader.is_readable:
            return UNOBSERVABLE
        return Observation(
            observable=True,
            complete=complete,
            finish_reason=reader.finish_reason,
            has_content=reader.has_content,
            content_us=self._content_us,
            gap_us=self._gap_us,
            error_frame=reader.error_frame,
            tokens_out=self._tokens(),
            tokens_in=reader.prompt_tokens,
            tokens_cached=reader.cached_tokens,
            is_stream=self._sse is not None,
            is_paced=self._sse is not None and reader.choices == 1,
            quality=reader.said.measures(is_cut=reader.finish_reason == "length") if complete else (),
        )

    def _tokens(self) -> int | None:
        """The events of a whole response are none."""
        counted = self._reader.content_events if self._sse is not None else 0
        return self._reader.stated_tokens if self._reader.stated_tokens is not None else counted or None


def watch(headers: HeaderLookup, asked: Asked = NOTHING_ASKED) -> ResponseSession | RefusalSession | None:
    """Of a response by its headers; None: there is nothing to see."""
    status = headers(":status")
    if len(status) != 1:
        return None
    if status[0] == b"200":
        return ResponseSession(headers, asked)
    return RefusalSession(headers) if status[0] in STATUSES else None
