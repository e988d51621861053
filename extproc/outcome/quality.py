"""What an answer's text says about the model that wrote it, as badness in hundredths (0..100). Pure; keeps nothing.

HTTP is fine with all of it. None of these is a truth about one answer (a poem repeats itself, a manual quotes control
tokens): versions are compared by their means, over the same traffic. Measured on SmolLM2-135M, 40 short prompts,
max_tokens 48 (docs/quality.md): repetition .03, of a base model in place of the instruct one .35; control tokens in 0 %
against 88 %.

- repetition: the share of word trigrams that stood in the answer before (Welleck et al. 2020, seq-rep-n with n = 3).
  Words of scripts without blanks are their characters.
- mixed script: the share of letters outside the answer's own most frequent script. Han, Kana and Hangul stand for one:
  Japanese and Korean mix them by nature. Which script that is, is told beside it: no badness, but what drift shows.
- control tokens: the markup of a chat template shows in the text, so template and model do not fit, or the model plays
  both parts.
- refusal: the answer opens by declining. A list of phrases is weak: a hint for people, and in one language only.
"""

import re
from collections import Counter
from functools import lru_cache
from unicodedata import name as name_of

from serinus.contract.metric import BADNESS_WHOLE, SCRIPTS

# Of an answer this much is looked at, its beginning: 350 words, which cost 250 us; more memory for each of a thousand
# streams would tell little more.
TEXT_CHARS_MAX = 2_048
_OPENING_CHARS = 120
# Below this many trigrams one that comes twice is chance.
_TRIGRAMS_MIN = 5

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")
# ChatML and Phi (<|im_end|>, <|assistant|>), Llama 2 and Mistral ([INST], <<SYS>>, </s>), Llama 3 (<|eot_id|>), Gemma
# (<start_of_turn>), DeepSeek (<｜User｜>).
_CONTROL = re.compile(
    r"<[|｜][A-Za-z_][\w▁ ]{0,38}[|｜]>|\[/?INST\]|<</?SYS>>|</s>|<(?:start|end)_of_turn>|<(?:bos|eos)>"
)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) sorry,? (?:but )?i(?:'m| am)? ?(?:can(?:'|no)t|not able|unable)|"
    r"i (?:can(?:'|no)t|cannot|won't|will not|am unable to|am not able to|must decline to) "
    r"(?:help|assist|provide|comply|answer|fulfil|fulfill|do that|discuss|continue|create|generate)|"
    r"i(?:'m| am) (?:unable|not able) to (?:help|assist|provide|comply|answer|fulfil|fulfill|discuss)|"
    r"as an ai(?: language model)?,? i (?:can(?:'|no)t|cannot|am not able))"
)
_ASCII_LETTER = re.compile("[A-Za-z]")
_PLACES = {name.upper(): place for place, name in enumerate(SCRIPTS)}
_NONE, _LATIN, _OTHER = _PLACES["NONE"], _PLACES["LATIN"], _PLACES["OTHER"]
_ONE_SCRIPT = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})


def repetition(text: str) -> int:
    words = _WORD.findall(text.casefold())
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    if len(trigrams) < _TRIGRAMS_MIN:
        return 0
    return _hundredths(len(trigrams) - len(set(trigrams)), len(trigrams))


def scripts(text: str) -> tuple[int, int]:
    """The most frequent script, by its place in SCRIPTS, and the hundredths of letters outside of it."""
    if text.isascii():
        return (_LATIN if _ASCII_LETTER.search(text) else _NONE), 0
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            counts[_script(letter)] += count
    if not counts:
        return _NONE, 0
    letters, (most, of_most) = counts.total(), counts.most_common(1)[0]
    return _PLACES.get(most, _OTHER), _hundredths(letters - of_most, letters)


def control_tokens(text: str) -> int:
    return BADNESS_WHOLE if _CONTROL.search(text) else 0


def refusal(text: str) -> int:
    opening = text[:_OPENING_CHARS].casefold().replace("’", "'")
    return BADNESS_WHOLE if _REFUSAL.search(opening) else 0


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str:
    """The first word of its name: LATIN, CYRILLIC, CJK, ..."""
    script = name_of(letter, "?").split(" ", 1)[0]
    return "CJK" if script in _ONE_SCRIPT else script


def _hundredths(part: int, whole: int) -> int:
    return round(BADNESS_WHOLE * part / whole)
