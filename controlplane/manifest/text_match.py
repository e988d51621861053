"""Tests of one text, as a manifest says them: exact, prefix, a list, a regular expression …"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from controlplane.manifest.field import HeaderName, Spec, as_tuple
from controlplane.manifest.regex import fault_of
from serinus.contract import condition as contract
from serinus.contract.condition import Condition, Op, Source

# The name of a file in the sidecars' policy folder: no path leads out of it.
FILE_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"
_OPERATORS = ("exact", "prefix", "suffix", "one_of", "in_file", "regex", "present", "modulo")
# Those of the first release are always dumped, given or not.
_ALWAYS_DUMPED = frozenset({"name", "exact", "prefix", "one_of"})


def _text(value: object) -> object:
    """Text that can stand in a header. A lone surrogate, which YAML can write, has no bytes."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{value!r} is no text: it has half of a surrogate pair") from None
    return value


def _texts(value: object) -> object:
    return tuple(map(_text, value)) if isinstance(value, list | tuple) else value


def _regex(value: object) -> object:
    if isinstance(value, str) and (fault := fault_of(str(_text(value)))):
        raise ValueError(f"regex {value!r}: {fault}; RE2 syntax, without look-around and back-references")
    return value


Regex = Annotated[str, Field(min_length=1, max_length=contract.REGEX_CHARS_MAX), BeforeValidator(_regex)]
Text = Annotated[str, BeforeValidator(_text), Field(max_length=4096)]


class Modulo(Spec):
    """A number whose remainder by `of` is one of `is`."""

    of: Annotated[int, Field(ge=2, le=1_000_000)]
    remainders: Annotated[tuple[int, ...], BeforeValidator(as_tuple), Field(alias="is", min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _remainders(self) -> "Modulo":
        if any(not 0 <= each < self.of for each in self.remainders):
            raise ValueError(f"`is` holds remainders from 0 to {self.of - 1}")
        return self


class TextMatch(Spec):
    """One test of one text."""

    exact: Text | None = None
    prefix: Text | None = None
    suffix: Text | None = None
    one_of: Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1, max_length=1000)] | None = Field(
        default=None, alias="in"
    )
    in_file: Annotated[str, Field(pattern=FILE_PATTERN)] | None = None
    regex: Regex | None = None
    present: Literal[True] | None = None
    modulo: Modulo | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "TextMatch":
        if sum(getattr(self, name) is not None for name in _OPERATORS) != 1:
            raise ValueError("a match needs exactly one of exact, prefix, suffix, in, in_file, regex, present, modulo")
        return self

    @model_serializer(mode="wrap")
    def _dumped(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None or name in _ALWAYS_DUMPED}

    def test(self, source: Source, name: str = "") -> Condition:
        """The contract's form, for a text from there."""
        if self.modulo is not None:
            return contract.ModuloTest(source, name, self.modulo.of, self.modulo.remainders)
        if self.one_of is not None:
            return contract.TextTest(source, name, Op.IN, self.one_of)
        if self.present is not None:
            return contract.TextTest(source, name, Op.PRESENT)
        for op in (Op.EXACT, Op.PREFIX, Op.SUFFIX, Op.IN_FILE, Op.REGEX):
            operand = getattr(self, op.value)
            if operand is not None:
                return contract.TextTest(source, name, op, (operand,))
        raise AssertionError("one operator is there: checked when it was read")


class HeaderMatchSpec(TextMatch):
    name: HeaderName


class NamedMatch(TextMatch):
    """Of a cookie or a query field: names with upper and lower case told apart."""

    name: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
