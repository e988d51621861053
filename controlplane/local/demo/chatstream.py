"""Server-sent events of one chat completion, as a client must read them. Pure: bytes in, facts out.

HTTP 200 is not success: a stream counts as whole only with a finish_reason and `[DONE]`, and an error frame inside it
is a failure whatever the status was. Keeps no text of any answer.
"""

import json
from dataclasses import dataclass, field
from typing import Any

# How a failure inside an answer begins; the class of a failure is told by it.
IN_STREAM = "error inside the stream"
# One frame of one token is some 300 bytes; a line beyond this is no chat frame.
LINE_BYTES_MAX = 256 * 1024


@dataclass(slots=True)
class ChatStream:
    """Feed it the body as it comes; read the fields at any time."""

    has_content: bool = False
    finish_reason: str = ""
    is_done: bool = False
    error: str = ""
    tokens: int = 0  # as the server counts them (`usage`), else pieces of content: a piece is a token with most servers
    _has_usage: bool = field(default=False, repr=False)
    _pending: bytes = field(default=b"", repr=False)

    def feed(self, chunk: bytes) -> bool:
        """Take in a piece of the body. True if it brought the first content."""
        had_content = self.has_content
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        if len(self._pending) > LINE_BYTES_MAX:
            self._pending, self.error = b"", "a line without end"
        for line in lines:
            self._line(line.strip())
        return self.has_content and not had_content

    def failure(self) -> str:
        """Why the stream, now ended, is no whole answer; "" if it is one."""
        if self.error:
            return f"{IN_STREAM}: {self.error}"
        if not self.finish_reason:
            return "stream ended without finish_reason"
        return "" if self.is_done else "stream ended without [DONE]"

    def _line(self, line: bytes) -> None:
        if line == b"data: [DONE]":
            self.is_done = True
        elif line.startswith(b"data:"):
            try:
                self._frame(json.loads(line[5:]))
            except (ValueError, AttributeError, TypeError, LookupError):
                self.error = self.error or "a frame that is no chat completion chunk"

    def _frame(self, frame: dict[str, Any]) -> None:
        if "error" in frame:
            fault = frame["error"]
            # Kind and code only: a server's message may quote the prompt.
            kind = f"{fault.get('type', '')} {fault.get('code', '')}".strip() if isinstance(fault, dict) else ""
            self.error = self.error or kind or "unnamed"
            return
        for choice in frame["choices"]:
            is_content = bool(choice["delta"].get("content"))
            self.has_content = self.has_content or is_content
            self.tokens += is_content and not self._has_usage
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        if isinstance(usage := frame.get("usage"), dict) and isinstance(usage.get("completion_tokens"), int):
            self._has_usage, self.tokens = True, usage["completion_tokens"]
