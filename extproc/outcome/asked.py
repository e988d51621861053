"""What a request asked of a model, as far as its answer must be judged by it: OpenAI's API. Pure; never raises.

A prompt is read past and not kept. A request over the bound asked for nothing that we know: its answer is then not held
against anything.
"""

from dataclasses import dataclass
from typing import Any

from extproc.outcome.document import object_of

# 16,000 tokens of prompt; to parse that much takes 0.4 ms, while which tags wait.
REQUEST_BYTES_MAX = 64 * 1024
_JSON_FORMATS = frozenset({"json_object", "json_schema"})


@dataclass(frozen=True, slots=True)
class Asked:
    """`wants_json`: the answer must be one JSON object; `schema`: that it must keep, True for any."""

    wants_json: bool = False
    schema: Any = True


NOTHING_ASKED = Asked()


class RequestBody:
    """Of one request, in pieces. Mutable."""

    def __init__(self) -> None:
        self._size = 0
        self._body = bytearray()

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= REQUEST_BYTES_MAX:
            self._body += chunk
        else:
            self._body.clear()

    @property
    def text(self) -> str:
        """The whole body; "" over the bound."""
        return self._body.decode(errors="replace")

    def asked(self) -> Asked:
        format_ = _format(bytes(self._body)) if self._body else None
        if format_ is None:
            return NOTHING_ASKED
        # Chat completions say {"json_schema": {"schema": ...}}, the responses API {"schema": ...}.
        inner = format_.get("json_schema")
        schema = (inner if isinstance(inner, dict) else format_).get("schema", True)
        return Asked(wants_json=True, schema=schema)


def _format(body: bytes) -> dict[str, Any] | None:
    """The JSON format that was asked for."""
    request = object_of(body)
    if request is None:
        return None
    # Chat completions, then the responses API.
    text = request.get("text")
    formats = (request.get("response_format"), text.get("format") if isinstance(text, dict) else None)
    return next((of for of in formats if isinstance(of, dict) and of.get("type") in _JSON_FORMATS), None)
