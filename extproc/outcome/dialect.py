"""Which API a response speaks: its first document that a dialect claims decides. The readers' one door.

The request is not asked: what comes is what counts, a service may speak several APIs under one host, and the copy of a
response does not know its path. A response in which nothing was claimed is of another API: unobservable, not bad. One
without any JSON may have been anything: it has no finish.

To add a dialect: one file with a `Reader`, and its class in `DIALECTS`.
"""

from collections.abc import Sequence

from extproc.outcome.dialect_anthropic import AnthropicReader
from extproc.outcome.dialect_embeddings import EmbeddingsReader
from extproc.outcome.dialect_kserve import KserveReader
from extproc.outcome.dialect_openai import OpenAiReader
from extproc.outcome.dialect_responses import ResponsesReader
from extproc.outcome.document import object_of
from extproc.outcome.reader import Reader
from extproc.outcome.said import Said
from extproc.outcome.sse import SseEvent

# Asked in this order, the most frequent first; no document is of two.
DIALECTS: Sequence[type[Reader]] = (OpenAiReader, ResponsesReader, EmbeddingsReader, KserveReader, AnthropicReader)
# OpenAI's; the end of a stream of others is the end of the body.
DONE = b"[DONE]"


class AnyReader:
    """Mutable; one per response."""

    def __init__(self, said: Said | None = None, dialects: Sequence[type[Reader]] = DIALECTS) -> None:
        self.said = said if said is not None else Said()
        self._dialects = dialects
        self._reader: Reader | None = None
        self._has_error = False
        self._is_foreign = False  # JSON that nobody claimed

    def event(self, event: SseEvent) -> None:
        """One event of a stream. What is no JSON object is skipped, as clients do."""
        if event.data == DONE:
            return
        if event.event == b"error":
            self._has_error = True
            return
        self.document(event.data)

    def document(self, data: bytes) -> bool:
        """One JSON document: an event's, or a whole response. False: it is not a JSON object."""
        value = object_of(data)
        if value is None:
            return False
        if value.get("error"):
            self._has_error = True
        if self._reader is None:
            dialect = next((dialect for dialect in self._dialects if dialect.claims(value)), None)
            if dialect is None:
                self._is_foreign = True
                return True
            self._reader = dialect(said=self.said)
        self._reader.read(value)
        return True

    @property
    def is_readable(self) -> bool:
        """Whether this is of a known API, or a response so short that it could have been."""
        if self._reader is not None:
            return not self._reader.is_unknown
        return not self._is_foreign or self._has_error

    @property
    def has_content(self) -> bool:
        return self._reader is not None and self._reader.has_content

    @property
    def error_frame(self) -> bool:
        return self._has_error or (self._reader is not None and self._reader.error_frame)

    @property
    def finish_reason(self) -> str | None:
        return self._reader.finish_reason if self._reader is not None else None

    @property
    def choices(self) -> int:
        return self._reader.choices if self._reader is not None else 0

    @property
    def content_events(self) -> int:
        return self._reader.content_events if self._reader is not None else 0

    @property
    def stated_tokens(self) -> int | None:
        return self._reader.stated_tokens if self._reader is not None else None

    @property
    def prompt_tokens(self) -> int | None:
        return self._reader.prompt_tokens if self._reader is not None else None

    @property
    def cached_tokens(self) -> int | None:
        return self._reader.cached_tokens if self._reader is not None else None
