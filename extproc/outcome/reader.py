"""What a reader of one API family offers: its JSON in, piece by piece; what a response has shown so far out.

A dialect is one file with a subclass of `Reader`, named in `dialect.DIALECTS`. It never raises on any JSON, and keeps
nothing of what it reads but what stands here.
"""

from dataclasses import dataclass, field
from typing import TypeGuard

from extproc.outcome.document import Json
from extproc.outcome.said import Said

# No model has so long an answer; a server may write any number.
TOKENS_MAX = 1 << 32
# The longest known is "content_filter"; an observation may wait for its log entry among 20,000 others.
REASON_CHARS_MAX = 64
# The finish of a response whose API has none: it is whole as soon as it is there.
NO_FINISH = ""


@dataclass(slots=True)
class Reader:
    """Mutable; one per response. `is_unknown`: this is its API, in a form that it cannot read. `content_events`: pieces
    of a stream that showed content. `stated_tokens`: tokens of the answer by the server's own word, None without one;
    so `prompt_tokens`, and `cached_tokens` among them.
    """

    said: Said = field(default_factory=Said)
    has_content: bool = False
    error_frame: bool = False
    is_unknown: bool = False
    content_events: int = 0
    stated_tokens: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None

    @staticmethod
    def claims(value: Json) -> bool:
        """Whether a document is of this API. Asked until one reader says yes, which then has the whole response."""
        raise NotImplementedError

    def read(self, value: Json) -> None:
        """One document: an event of a stream, or a whole response."""
        raise NotImplementedError

    @property
    def choices(self) -> int:
        """Answers side by side. The pace of one that stands alone is the model's; 0: there is no pace."""
        return 1

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended: "length" for its limit, else in the server's words, `NO_FINISH` if the API has none and
        the answer is there. None: it has not ended."""
        raise NotImplementedError

    def shown(self) -> None:
        """A piece with content came."""
        self.has_content = True
        self.content_events += 1

    def state_tokens(self, answer: object, prompt: object = None, cached: object = None) -> None:
        """Streams may state it in every piece: the last counts."""
        if is_count(answer):
            self.stated_tokens = answer
        if is_count(prompt):
            self.prompt_tokens = prompt
        if is_count(cached):
            self.cached_tokens = cached


def is_count(tokens: object) -> TypeGuard[int]:
    return isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= TOKENS_MAX
