"""What one answer said: its text and tool calls, held until it ends, then given as badness by signal (`quality.py`).

Bounded, in memory, for the time of the answer; nothing of it is stored or logged. No clock, no I/O, never raises.
"""

from dataclasses import dataclass, field

from extproc.outcome.asked import NOTHING_ASKED, Asked
from extproc.outcome.document import object_of
from extproc.outcome.quality import TEXT_CHARS_MAX, control_tokens, refusal, repetition, scripts
from extproc.outcome.rated import ANSWER_CHARS_MAX
from extproc.outcome.schema import keeps
from serinus.contract.metric import (
    BADNESS_WHOLE,
    CONTROL_TOKENS,
    INVALID_JSON,
    INVALID_TOOL_CALL,
    MIXED_SCRIPT,
    REFUSAL,
    REPETITION,
    SCRIPT,
    Measures,
)

# A document or the arguments of all calls beyond this are not judged: 30,000 tokens.
DOCUMENT_CHARS_MAX = 128 * 1024
# The APIs know no bound; more parallel calls than this have not been seen.
CALLS_MAX = 128


@dataclass(slots=True)
class Said:
    """Mutable; one per answer. `asked`: what its form must be."""

    asked: Asked = NOTHING_ASKED
    keeps_answer: bool = False  # all of its text, for an evaluator
    has_refused: bool = False  # the server said so itself
    _text: str = ""
    _answer: list[str] = field(default_factory=list)
    _answer_chars: int = 0
    _document: list[str] = field(default_factory=list)
    _calls: dict[int, list[str]] = field(default_factory=dict)
    _chars: int = 0  # of document and calls

    def text(self, piece: str) -> None:
        room = TEXT_CHARS_MAX - len(self._text)
        if room > 0:
            self._text += piece[:room]
        if self.keeps_answer:
            self._answer_chars += len(piece)
            if self._answer_chars <= ANSWER_CHARS_MAX:
                self._answer.append(piece)
        if self.asked.wants_json:
            self._keep(self._document, piece)

    @property
    def answer(self) -> str | None:
        """All of the text, if it was to be kept and there is some within the bound."""
        return "".join(self._answer) if 0 < self._answer_chars <= ANSWER_CHARS_MAX else None

    def call(self, index: int, arguments: str) -> None:
        """A piece of a tool call's arguments; `index` tells parallel calls apart."""
        if index not in self._calls and len(self._calls) >= CALLS_MAX:
            self._chars = DOCUMENT_CHARS_MAX + 1
            return
        self._keep(self._calls.setdefault(index, []), arguments)

    def _keep(self, pieces: list[str], piece: str) -> None:
        self._chars += len(piece)
        if self._chars <= DOCUMENT_CHARS_MAX:
            pieces.append(piece)
        else:
            pieces.clear()

    def measures(self, *, is_cut: bool) -> Measures:
        """`is_cut`: by a limit on its length, which leaves no document whole; that is judged as a finish reason."""
        found = []
        if self._text:
            script, mixed = scripts(self._text)
            found += [
                (REPETITION, repetition(self._text)),
                (MIXED_SCRIPT, mixed),
                (CONTROL_TOKENS, control_tokens(self._text)),
                (REFUSAL, BADNESS_WHOLE if self.has_refused else refusal(self._text)),
                (SCRIPT, script),
            ]
        elif self.has_refused:
            found.append((REFUSAL, BADNESS_WHOLE))
        if is_cut or self._chars > DOCUMENT_CHARS_MAX:
            return tuple(found)
        if self.asked.wants_json and not self._calls and not self.has_refused:
            found.append((INVALID_JSON, 0 if self._keeps_form() else BADNESS_WHOLE))
        if self._calls:
            # A call without arguments may leave them out.
            bad = sum(object_of("".join(pieces) or "{}") is None for pieces in self._calls.values())
            found.append((INVALID_TOOL_CALL, round(BADNESS_WHOLE * bad / len(self._calls))))
        return tuple(found)

    def _keeps_form(self) -> bool:
        """A schema of which nothing can be said forbids nothing."""
        value = object_of("".join(self._document))
        return value is not None and keeps(value, self.asked.schema) is not False
