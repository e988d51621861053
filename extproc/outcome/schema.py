"""Whether a JSON value keeps a JSON Schema that a client asked for: the part of the language that structured outputs
are asked for in, within a budget. Pure; never raises.

Read: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties` (also as a schema), `items`, the limits
of numbers, lengths and counts, `anyOf`, `oneOf`, `allOf`, `not`, and `$ref` inside the document. Other keywords forbid
nothing here, so a value is called bad only for what surely forbids it. Not read on purpose: `pattern`, `format`,
`uniqueItems`. Schemas are written by clients, and a full validator would let them keep the sidecar busy: an expression
that backtracks, or thirty nested `anyOf` of two references each, cost minutes. Hence no library, and a budget of steps;
what is beyond it is not judged.
"""

from collections.abc import Callable, Mapping
from typing import Any

# 2.5 us each, 5 ms: tags wait meanwhile, at most 50. Schemas of the field have some hundred properties.
STEPS_MAX = 2_000
_DEPTH_MAX = 64


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == int(value),
}
_NUMBERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
}
_COUNTS: Mapping[str, tuple[type, bool]] = {  # of what, and whether it is the least
    "minLength": (str, True),
    "maxLength": (str, False),
    "minItems": (list, True),
    "maxItems": (list, False),
    "minProperties": (dict, True),
    "maxProperties": (dict, False),
}


class _BeyondError(Exception):
    """The budget is spent, or a reference leads nowhere: nothing can be said."""


def keeps(value: Any, schema: Any) -> bool | None:
    """None: it cannot be told."""
    try:
        return _Check(schema).keeps(value, schema, 0)
    except (_BeyondError, ArithmeticError, AttributeError, TypeError, ValueError):  # a schema may be anything
        return None


class _Check:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = STEPS_MAX

    def keeps(self, value: Any, schema: Any, depth: int) -> bool:
        self._spend(1, depth)
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise _BeyondError
        self._spend(len(schema.get("enum", ())) + len(schema.get("required", ())), depth)
        if "$ref" in schema and not self.keeps(value, self._referred(schema["$ref"]), depth + 1):
            return False
        return (
            _is_plain(value, schema)
            and self._keeps_combined(value, schema, depth)
            and (not isinstance(value, dict) or self._keeps_properties(value, schema, depth))
            and (not isinstance(value, list) or self._keeps_items(value, schema, depth))
        )

    def _spend(self, steps: int, depth: int) -> None:
        self._steps -= steps
        if self._steps < 0 or depth > _DEPTH_MAX:
            raise _BeyondError

    def _referred(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _BeyondError
        found = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                raise _BeyondError
            found = found[name]
        return found

    def _keeps_combined(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        if not all(self.keeps(value, part, depth + 1) for part in schema.get("allOf", ())):
            return False
        if "anyOf" in schema and not any(self.keeps(value, part, depth + 1) for part in schema["anyOf"]):
            return False
        if "oneOf" in schema and sum(self.keeps(value, part, depth + 1) for part in schema["oneOf"]) != 1:
            return False
        return "not" not in schema or not self.keeps(value, schema["not"], depth + 1)

    def _keeps_properties(self, value: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> bool:
        properties = schema.get("properties", {})
        if any(name not in value for name in schema.get("required", ())):
            return False
        others = schema.get("additionalProperties", True)
        if others is not True and "patternProperties" in schema:
            others = True  # what the patterns allow is not known here
        return all(self.keeps(each, properties.get(name, others), depth + 1) for name, each in value.items())

    def _keeps_items(self, value: list[Any], schema: Mapping[str, Any], depth: int) -> bool:
        first = schema.get("prefixItems", ())
        items = schema.get("items", True)
        if isinstance(items, list):  # drafts before 2020-12
            first, items = items, schema.get("additionalItems", True)
        return all(
            self.keeps(each, first[place] if place < len(first) else items, depth + 1)
            for place, each in enumerate(value)
        )


def _is_plain(value: Any, schema: Mapping[str, Any]) -> bool:
    """What one value alone must be."""
    wanted = schema.get("type")
    if wanted is not None:
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(_TYPES[name](value) for name in names if name in _TYPES):
            return any(name not in _TYPES for name in names)
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        return False
    if "const" in schema and not _same(value, schema["const"]):
        return False
    if _is_number(value) and not all(test(value, schema[name]) for name, test in _NUMBERS.items() if name in schema):
        return False
    for name, (kind, is_least) in _COUNTS.items():
        if name in schema and isinstance(value, kind):
            count = len(value)  # type: ignore[arg-type]
            if count < schema[name] if is_least else count > schema[name]:
                return False
    return True


def _same(one: Any, other: Any) -> bool:
    """JSON's equality: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other
