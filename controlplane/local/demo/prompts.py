"""What the demo's users ask, and with which limits. Pure data.

Measured on SmolLM2-135M-Instruct Q4_1 under `llama-server -t 1 -np 2`, server's default temperature, max_tokens 12,
two clients, one core:

| prompts | finish_reason=length | output tokens | requests/s |
| --- | --- | --- | --- |
| "What is the capital of X?" | 51 % of 80 (at max_tokens 16) | 12.0 | 7.1 |
| the same, "Answer with one word." | 20 % of 80 (at max_tokens 16) | 9.7 | 7.2 |
| these: two answered questions first | 1.3 % of 2,448 | 4.1 | 11-14 |
| these, with `--chat-template llama2` | 97.5-100 % of 160 | 11.9 | 8.8 |

The two answered questions teach the model the form of the answer; being the same in every request they cost nothing
(the server keeps the common prefix). The wrong template answers with HTTP 200, at once, and without end.
"""

from typing import Any

MAX_TOKENS = 12
EXAMPLES = (("What is the capital of Brazil?", "Brasilia."), ("What is the capital of Scotland?", "Edinburgh."))
_NAMES = (
    "France Italy Japan Spain Germany Egypt Greece Portugal Austria Poland Norway Sweden Finland Denmark Hungary "
    "Ireland Russia China India Cuba Peru Chile Kenya Turkey Iran Iraq Cyprus Belgium Ukraine Canada Mexico "
    "Argentina Thailand Vietnam Nepal Lebanon Syria Jordan Morocco Iceland"
)
COUNTRIES = tuple(_NAMES.split())


def chat_request(model: str, question: int) -> dict[str, Any]:
    """A streaming chat completion request. `question` is any number."""
    country = COUNTRIES[question % len(COUNTRIES)]
    turns = [*EXAMPLES, (f"What is the capital of {country}?", "")]
    messages = []
    for asked, answered in turns:
        messages.append({"role": "user", "content": asked})
        if answered:
            messages.append({"role": "assistant", "content": answered})
    return {"model": model, "stream": True, "max_tokens": MAX_TOKENS, "messages": messages}
