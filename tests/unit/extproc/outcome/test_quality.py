"""What an answer's text says: examples as models wrote them, and values by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.outcome.quality import control_tokens, refusal, repetition, scripts
from serinus.contract.metric import SCRIPTS

# Of a base model in place of the instruct one, and of the instruct one, as llama-server sent them.
LOOPING = (
    "<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>assistant\n<|im"
)
PLAIN = (
    "The sky is blue because of a process called Rayleigh scattering. In the atmosphere, there are small molecules of "
    "gases, such as nitrogen and oxygen, that scatter light."
)


@pytest.mark.parametrize(
    ("text", "badness"),
    [
        ("", 0),
        ("yes yes yes", 0),  # a single trigram
        ("no no no no no no", 0),  # four: too few to tell
        ("no " * 7, 80),  # five trigrams, one of them new
        ("a b c d e f g h", 0),
        ("A b C d a B c", 20),  # five, the last of them again
        ("今天天气今天天气今", 43),  # seven trigrams of characters, the last three again
        (PLAIN, 0),
    ],
)
def test_repetition_is_the_share_of_trigrams_that_came_before(text: str, badness: int) -> None:
    assert repetition(text) == badness


def test_a_model_that_loops_repeats_itself_and_shows_control_tokens() -> None:
    assert repetition(LOOPING) == 50
    assert control_tokens(LOOPING) == 100


@pytest.mark.parametrize(
    "text",
    [
        "[INST] hello",
        "ok</s>",
        "a <|eot_id|>",
        "<start_of_turn>user",
        "<<SYS>>\nYou",
        "<｜User｜>x",
        "<|assistant|> hi",
    ],
)
def test_markup_of_chat_templates_is_a_control_token(text: str) -> None:
    assert control_tokens(text) == 100


@pytest.mark.parametrize("text", ["", PLAIN, "a <| b |> c", "if x < y: [INSTALL]", "<s>bold</strong>", "f(a|b)"])
def test_other_markup_is_none(text: str) -> None:
    assert control_tokens(text) == 0


@pytest.mark.parametrize(
    ("text", "badness"),
    [
        ("", 0),
        ("123 \u2013 \u00a7", 0),  # no letters
        ("caf\u00e9", 0),
        ("Привет, мир", 0),
        ("日本語のテキスト", 0),  # Han and Kana are one
        ("한국어 漢字", 0),
        ("hello 🍻 world", 0),
        ("abc где", 50),
        ("abcde где", 38),
    ],
)
def test_mixed_script_is_the_share_of_letters_outside_the_most_frequent_script(text: str, badness: int) -> None:
    assert scripts(text)[1] == badness


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with this request.",
        "I cannot provide instructions for that.",
        "As an AI language model, I cannot answer.",
        "I am unable to assist with this.",
    ],
)
def test_an_opening_that_declines_is_a_refusal(text: str) -> None:
    assert refusal(text) == 100


@pytest.mark.parametrize(
    "text", ["", PLAIN, "I cannot wait to show you!", "Sorry to hear that.", "x" * 200 + " I cannot help"]
)
def test_other_openings_are_none(text: str) -> None:
    assert refusal(text) == 0


@given(st.text())
def test_any_text_has_a_badness_between_0_and_100(text: str) -> None:
    assert all(0 <= signal(text) <= 100 for signal in (repetition, control_tokens, refusal))
    script, mixed = scripts(text)
    assert 0 <= script < len(SCRIPTS)
    assert 0 <= mixed <= 100


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", "none"),
        ("42 + 7 = 49 !?", "none"),
        ("Grey birds sing.", "latin"),
        ("Größe naïve", "latin"),
        ("Серые птицы, by name", "cyrillic"),
        ("鳥が歌う 새가 노래한다", "cjk"),
        ("الطيور تغني", "arabic"),
        ("पक्षी गाते हैं", "devanagari"),
        ("ნაცრისფერი", "georgian"),
        ("ᏣᎳᎩ", "other"),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert SCRIPTS[scripts(text)[0]] == script
