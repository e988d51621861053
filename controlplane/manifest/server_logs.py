"""What a version's servers write to their logs: where to read it, and which lines are counted."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, model_validator

from controlplane.manifest.field import Name, Spec, as_tuple
from controlplane.manifest.regex import fault_of

PATTERNS_MAX = 16
REGEX_CHARS_MAX = 512
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _file(value: object) -> object:
    """Below the directory that the control plane was given: no path leads out of it."""
    parts = value.split("/") if isinstance(value, str) else []
    is_plain = isinstance(value, str) and len(value) <= 512 and value.isprintable()
    if not is_plain or not parts or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{value!r} is no path below --server-logs; write for example llama/v2.log")
    return value


def _pairs(value: object) -> object:
    """A mapping as pairs in order: a spec can be hashed."""
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def _checked(patterns: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    for name, regex in patterns:
        _NAME.validate_python(name)
        if fault := fault_of(regex):
            raise ValueError(f"pattern {name}: {fault}; RE2 syntax, without look-around and back-references")
    return patterns


File = Annotated[str, BeforeValidator(_file)]
Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.@\\-]{1,240}\.service$")]
Regex = Annotated[str, Field(min_length=1, max_length=REGEX_CHARS_MAX)]
Patterns = Annotated[
    tuple[tuple[str, Regex], ...],
    BeforeValidator(_pairs),
    Field(min_length=1, max_length=PATTERNS_MAX),
    AfterValidator(_checked),
]


class ServerLogs(Spec):
    """`files` below the control plane's `--server-logs`; `units` of journald that its `--server-unit` lets through.
    `patterns`: name -> RE2; a line counts for each that is found in it. Of a line nothing else is kept."""

    files: Annotated[tuple[File, ...], BeforeValidator(as_tuple), Field(max_length=16)] = ()
    units: Annotated[tuple[Unit, ...], BeforeValidator(as_tuple), Field(max_length=8)] = ()
    patterns: Patterns

    @model_validator(mode="after")
    def _has_a_source(self) -> "ServerLogs":
        if not self.files and not self.units:
            raise ValueError("logs need files, units or both, for example files: [llama/v2.log]")
        return self
