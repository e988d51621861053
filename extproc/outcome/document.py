"""JSON objects of strangers. Pure; never raises."""

import json

Json = dict[str, object]


def object_of(data: bytes | str) -> Json | None:
    """A JSON object; None for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text_of(value: Json, name: str) -> str:
    """A field's text; "" if it is none."""
    text = value.get(name)
    return text if isinstance(text, str) else ""


def object_in(value: Json, name: str) -> Json:
    """A field's object; an empty one if it is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def objects_in(value: Json, name: str) -> list[Json]:
    """The objects of a field that is a list."""
    found = value.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def index_of(value: Json, name: str) -> int:
    index = value.get(name)
    return index if isinstance(index, int) else 0
