"""What a request asked of a model, as far as its answer must be judged by it: OpenAI's API. Pure; never raises.

A prompt is read past and not kept. A request over the bound asked for nothing that we know: its answer is then not held
against anything.
"""

import json
from dataclasses import dataclass

# 16,000 tokens of prompt; to parse that much takes 0.4 ms, while which tags wait.
REQUEST_BYTES_MAX = 64 * 1024
_JSON_FORMATS = frozenset({"json_object", "json_schema"})


@dataclass(frozen=True, slots=True)
class Asked:
    """`wants_json`: the answer must be one JSON document. `request_bytes` of the body, however long."""

    wants_json: bool = False
    request_bytes: int = 0


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

    def asked(self) -> Asked:
        return Asked(bool(self._body) and _wants_json(bytes(self._body)), self._size)


def _wants_json(body: bytes) -> bool:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(request, dict):
        return False
    # Chat completions, then the responses API (text.format).
    text = request.get("text")
    formats = (request.get("response_format"), text.get("format") if isinstance(text, dict) else None)
    return any(isinstance(of, dict) and of.get("type") in _JSON_FORMATS for of in formats)
