"""JSON Schema, the part that structured outputs use: what is forbidden is found, what cannot be told is not called bad."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.outcome.schema import STEPS_MAX, keeps

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        "boss": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Ann"},
        {"name": "Ann", "age": 3.0, "tags": ["a", "b"], "boss": {"name": "Bo", "boss": None}},
    ],
)
def test_a_value_that_keeps_its_schema(value: object) -> None:
    assert keeps(value, PERSON) is True


@pytest.mark.parametrize(
    "value",
    [
        "Ann",
        {},
        {"name": ""},
        {"name": "Annika"},
        {"name": 5},
        {"name": "Ann", "age": True},
        {"name": "Ann", "age": 1.5},
        {"name": "Ann", "age": -1},
        {"name": "Ann", "age": 150},
        {"name": "Ann", "tags": ["c"]},
        {"name": "Ann", "tags": ["a", "a", "a"]},
        {"name": "Ann", "boss": {"age": 1}},
        {"name": "Ann", "more": 1},
    ],
)
def test_a_value_that_does_not(value: object) -> None:
    assert keeps(value, PERSON) is False


@pytest.mark.parametrize(
    ("value", "schema", "answer"),
    [
        (1, {"const": True}, False),
        (1, {"type": ["string", "number"]}, True),
        (1, {"oneOf": [{"type": "number"}, {"minimum": 0}]}, False),
        (1, {"allOf": [{"type": "number"}, {"minimum": 2}]}, False),
        (1, {"not": {"type": "string"}}, True),
        ([1, "a"], {"prefixItems": [{"type": "number"}], "items": {"type": "string"}}, True),
        ([1, "a"], {"items": [{"type": "string"}]}, False),
        ([1, "a"], {"items": [{"type": "number"}], "additionalItems": False}, False),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}, False),
        ({"x-a": 1}, {"additionalProperties": False, "patternProperties": {"^x-": {}}}, True),
        ("anything", {"pattern": "^(a+)+$"}, True),
        ("anything", {"type": "date"}, True),
        ({"a": 1}, {"$ref": "#/$defs/x", "$defs": {"x": {"required": ["a"]}}}, True),
        (1, True, True),
        (1, False, False),
    ],
)
def test_the_words_of_the_language(value: object, schema: object, answer: bool) -> None:
    assert keeps(value, schema) is answer


def doubling(levels: int) -> dict[str, Any]:
    """Each level asks for the next one twice: 2^levels steps in a validator without a budget."""
    both = {str(level): {"allOf": 2 * [{"$ref": f"#/$defs/{level + 1}"}]} for level in range(levels)}
    return {"$ref": "#/$defs/0", "$defs": {**both, str(levels): {}}}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, {"$ref": "#"}),
        (1, {"$ref": "#/nowhere"}),
        (1, {"$ref": "https://schema.test/x"}),
        (1, doubling(40)),
        ([0] * STEPS_MAX, {"items": {}}),
        (1, {"minimum": "0"}),
        (1, {"enum": 5}),
        (1, {"anyOf": 5}),
        ([0, 0], {"items": {"enum": [1] * STEPS_MAX}}),
        ({"a": 1}, {"properties": 5}),
        ({"a": 1}, {"properties": {"a": 5}}),
        (1, 5),
    ],
)
def test_what_cannot_be_told_within_the_budget_is_not_called_bad(value: object, schema: object) -> None:
    assert keeps(value, schema) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["type", "enum", "const", "properties", "required", "items", "anyOf", "oneOf", "allOf", "not", "$ref", "minimum"]
)


@given(JSON, st.dictionaries(WORDS, JSON, max_size=4))
def test_no_schema_raises(value: object, schema: object) -> None:
    assert keeps(value, schema) in (True, False, None)
