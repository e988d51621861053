"""One chat completion that comes in one piece, read as `chatstream` reads one in many. Pure: bytes in, facts out.

Keeps no text of any answer beyond the moment in which it is read.
"""

import json
from dataclasses import dataclass, field

# An answer of 4,096 tokens with log probabilities is some megabytes; what is larger is no answer to a test.
BYTES_MAX = 8 * 1024 * 1024


@dataclass(slots=True)
class ChatAnswer:
    """Feed it the body as it comes; `failure` reads it."""

    finish_reason: str = ""
    error: str = ""
    tokens: int = 0
    _body: bytearray = field(default_factory=bytearray, repr=False)

    def feed(self, chunk: bytes) -> bool:
        """Take in a piece of the body. Never the first content: that came with all of it."""
        if len(self._body) + len(chunk) > BYTES_MAX:
            self.error = "an answer without end"
        else:
            self._body += chunk
        return False

    def failure(self) -> str:
        """Why the answer, now ended, is not whole; "" if it is."""
        if self.error:
            return self.error
        try:
            answer = json.loads(bytes(self._body))
            (choice, *_) = answer["choices"]
            self.finish_reason = str(choice.get("finish_reason") or "")
            tokens = (answer.get("usage") or {}).get("completion_tokens")
            self.tokens = tokens if isinstance(tokens, int) else 0
            has_content = bool(choice["message"].get("content") or choice["message"].get("tool_calls"))
        except (ValueError, AttributeError, TypeError, LookupError):
            return "an answer that is no chat completion"
        finally:
            self._body.clear()
        if not self.finish_reason:
            return "answer without finish_reason"
        return "" if has_content else "empty answer"
