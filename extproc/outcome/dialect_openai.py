"""OpenAI's chat and text completions, streamed (`chat.completion.chunk`) or whole: what a response's JSON says.

A generation is finished when every choice it showed has a `finish_reason`; if one of several ended by `length`, that
is the reason given. Content is text, a refusal, audio or a tool call; reasoning alone is not: the user
sees nothing of it. What the first choice says goes to `Said`, which holds a bounded part of it until the end.

Tokens of the answer are those that the server states (`usage.completion_tokens`). A stream without a statement (the
API's default) has as many as it has events that show content: llama.cpp, vLLM and SGLang send one a token. A whole
response without one tells nothing; that is not zero.
"""

from dataclasses import dataclass, field
from typing import TypeGuard

from extproc.outcome.document import Json, object_in
from extproc.outcome.reader import REASON_CHARS_MAX, Reader
from extproc.outcome.said import Said

# The API's own limit of `n`. A response with more choices is not one we know.
CHOICES_MAX = 128

_CONTENT_FIELDS = ("content", "text", "refusal", "tool_calls", "function_call", "audio")


@dataclass(slots=True)
class OpenAiReader(Reader):
    """`is_unknown`: choices that this reader cannot tell apart."""

    _reasons: dict[int, str | None] = field(default_factory=dict)  # choice index -> its finish_reason

    @staticmethod
    def claims(value: Json) -> bool:
        return isinstance(value.get("choices"), list)

    @property
    def choices(self) -> int:
        return len(self._reasons)

    @property
    def finish_reason(self) -> str | None:
        """None until every choice has one."""
        reasons = list(self._reasons.values())
        if not reasons or None in reasons:
            return None
        return "length" if "length" in reasons else reasons[0]

    def read(self, value: Json) -> None:
        usage = value.get("usage")
        if isinstance(usage, dict):
            cached = object_in(usage, "prompt_tokens_details").get("cached_tokens")
            self.state_tokens(usage.get("completion_tokens"), usage.get("prompt_tokens"), cached)
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            self._choice(choice)

    def _choice(self, choice: object) -> None:
        if not isinstance(choice, dict):
            return
        index = choice.get("index", 0)
        if not isinstance(index, int) or (index not in self._reasons and len(self._reasons) >= CHOICES_MAX):
            self.is_unknown = True
            return
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._reasons[index] = reason[:REASON_CHARS_MAX]
        else:
            self._reasons.setdefault(index, None)
        shown = [part for part in (choice.get("delta"), choice.get("message"), choice) if _shows(part)]
        if shown:
            self.shown()
            if index == 0:
                for part in shown:
                    _say(self.said, part)


def _shows(part: object) -> TypeGuard[dict[str, object]]:
    return isinstance(part, dict) and any(part.get(name) for name in _CONTENT_FIELDS)


def _say(said: Said, part: dict[str, object]) -> None:
    """Text of chat completions and of completions, a refusal that the server states, calls of tools and functions."""
    for name in ("content", "text"):
        if isinstance(text := part.get(name), str):
            said.text(text)
    if part.get("refusal"):
        said.has_refused = True
    calls = part.get("tool_calls")
    for place, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            index = call.get("index", place)
            _call(said, index if isinstance(index, int) else place, call.get("function"))
    _call(said, 0, part.get("function_call"))


def _call(said: Said, index: int, function: object) -> None:
    if isinstance(function, dict):
        arguments = function.get("arguments")
        said.call(index, arguments if isinstance(arguments, str) else "")
