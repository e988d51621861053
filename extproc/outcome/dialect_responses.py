"""OpenAI's responses API: a whole `response`, or a stream of typed events that ends with one.

The finish is the response's `status`; `incomplete` gives its reason, of which `max_output_tokens` is "length". `failed`
is an error inside a 200. A response that only was accepted (`queued`, `in_progress`: background mode) or was cancelled
is not judged. Content is text, a refusal, a tool's call; reasoning alone is not: the user sees nothing of it.
"""

from dataclasses import dataclass

from extproc.outcome.document import Json, index_of, object_in, objects_in, text_of
from extproc.outcome.reader import REASON_CHARS_MAX, Reader

_LENGTH = "max_output_tokens"
_SILENT_ITEMS = frozenset({"message", "reasoning"})
_LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(slots=True)
class ResponsesReader(Reader):
    """`is_unknown`: a response that is not there yet."""

    _reason: str | None = None

    @staticmethod
    def claims(value: Json) -> bool:
        return value.get("object") == "response" or text_of(value, "type").startswith("response.")

    @property
    def finish_reason(self) -> str | None:
        return self._reason

    def read(self, value: Json) -> None:
        if value.get("object") == "response":
            self._response(value)
            self.is_unknown = self._reason is None and not self.error_frame
            return
        kind, delta = text_of(value, "type"), text_of(value, "delta")
        if kind == "response.output_text.delta" and delta:
            self.shown()
            self.said.text(delta)
        elif kind == "response.refusal.delta" and delta:
            self.shown()
            self.said.has_refused = True
        elif kind == "response.function_call_arguments.delta" and delta:
            self.shown()
            self.said.call(index_of(value, "output_index"), delta)
        elif kind == "response.output_item.added":
            self._item_begins(object_in(value, "item"), index_of(value, "output_index"))
        elif kind == "error":
            self.error_frame = True
        elif kind in _LAST_EVENTS:
            self._response(object_in(value, "response"))

    def _item_begins(self, item: Json, index: int) -> None:
        kind = text_of(item, "type")
        if kind and kind not in _SILENT_ITEMS:
            self.has_content = True
        if kind == "function_call":
            self.said.call(index, "")

    def _response(self, response: Json) -> None:
        """One that has ended, or that is not waited for. In a stream its output was seen before."""
        usage = object_in(response, "usage")
        cached = object_in(usage, "input_tokens_details").get("cached_tokens")
        self.state_tokens(usage.get("output_tokens"), usage.get("input_tokens"), cached)
        match response.get("status"):
            case "completed":
                self._reason = "completed"
            case "incomplete":
                reason = text_of(object_in(response, "incomplete_details"), "reason") or "incomplete"
                self._reason = "length" if reason == _LENGTH else reason[:REASON_CHARS_MAX]
            case "failed":
                self.error_frame = True
        if not self.has_content:
            for index, item in enumerate(objects_in(response, "output")):
                self._item(index, item)

    def _item(self, index: int, item: Json) -> None:
        self._item_begins(item, index)
        if item.get("type") == "function_call":
            self.said.call(index, text_of(item, "arguments"))
        for part in objects_in(item, "content") if item.get("type") == "message" else ():
            if text := text_of(part, "text"):
                self.has_content = True
                self.said.text(text)
            if part.get("refusal"):
                self.has_content = self.said.has_refused = True
