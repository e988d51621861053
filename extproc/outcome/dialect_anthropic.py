"""Anthropic's messages API, which vLLM, llama.cpp and gateways serve too: a whole `message`, or a stream of typed
events.

The finish is `stop_reason`; `max_tokens` is "length". Content is text or a tool's use; thinking alone is not: the user
sees nothing of it.
"""

from dataclasses import dataclass

from extproc.outcome.document import Json, index_of, object_in, objects_in, text_of
from extproc.outcome.reader import REASON_CHARS_MAX, Reader, is_count

_EVENTS = frozenset({"message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop"})
_LENGTHS = frozenset({"max_tokens", "model_context_window_exceeded"})


@dataclass(slots=True)
class AnthropicReader(Reader):
    _reason: str | None = None

    @staticmethod
    def claims(value: Json) -> bool:
        kind = text_of(value, "type")
        return kind in _EVENTS or (kind == "message" and isinstance(value.get("content"), list))

    @property
    def finish_reason(self) -> str | None:
        return self._reason

    def read(self, value: Json) -> None:
        index = index_of(value, "index")
        match value.get("type"):
            case "message":
                for number, block in enumerate(objects_in(value, "content")):
                    self._block(number, block)
                self._ended(value, value)
            case "message_start":
                self._prompt(object_in(object_in(value, "message"), "usage"))
            case "content_block_start":
                self._block(index, object_in(value, "content_block"))
            case "content_block_delta":
                self._delta(index, object_in(value, "delta"))
            case "message_delta":
                self._ended(object_in(value, "delta"), value)

    def _block(self, index: int, block: Json) -> None:
        """In a stream the start of one: its text and input follow."""
        kind = text_of(block, "type")
        if kind == "text" and (text := text_of(block, "text")):
            self.shown()
            self.said.text(text)
        elif kind == "tool_use":
            # The input of a whole one is an object, parsed already; that of a stream follows as text.
            self.has_content = True
            self.said.call(index, "")

    def _delta(self, index: int, delta: Json) -> None:
        if text := text_of(delta, "text"):
            self.shown()
            self.said.text(text)
        if arguments := text_of(delta, "partial_json"):
            self.shown()
            self.said.call(index, arguments)

    def _ended(self, end: Json, with_usage: Json) -> None:
        if reason := text_of(end, "stop_reason"):
            self._reason = "length" if reason in _LENGTHS else reason[:REASON_CHARS_MAX]
            self.said.has_refused = self.said.has_refused or reason == "refusal"
        usage = object_in(with_usage, "usage")
        self.state_tokens(usage.get("output_tokens"))
        self._prompt(usage)

    def _prompt(self, usage: Json) -> None:
        """`input_tokens` are those that neither came from the cache nor went into it."""
        if is_count(usage.get("input_tokens")):
            parts = [usage.get(f"{part}input_tokens") for part in ("", "cache_read_", "cache_creation_")]
            self.state_tokens(None, sum(filter(is_count, parts)), parts[1])
