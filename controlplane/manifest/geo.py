"""`geo`: where a request comes from, by a header that a CDN sets, or by the client's address and a file of places."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from controlplane.manifest.field import HeaderName, Spec, as_tuple
from controlplane.manifest.text_match import FILE_PATTERN
from serinus.contract.condition import Condition, Op, Source, TextTest
from serinus.contract.geo import GeoTest

Continent = Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"]
_COUNTRY = re.compile(r"[A-Z]{2}")
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")


def _capitals(value: object) -> object:
    value = as_tuple(value)
    return (
        tuple(each.upper() if isinstance(each, str) else each for each in value) if isinstance(value, tuple) else value
    )


def _country(value: object) -> object:
    return _codes(value, _COUNTRY, "a country of ISO 3166-1, such as DE")


def _region(value: object) -> object:
    return _codes(value, _REGION, "a region of ISO 3166-2, such as US-CA")


def _codes(value: object, form: re.Pattern[str], what: str) -> object:
    codes = _capitals(value)
    for code in codes if isinstance(codes, tuple) else ():
        if not isinstance(code, str) or not form.fullmatch(code):
            raise ValueError(f"{code!r} is not {what}")
    return codes


_Some = Field(default=(), max_length=500)


class GeoMatch(Spec):
    """Any of what is named. By `header` one kind of place alone: AS is a country and a continent."""

    header: HeaderName | None = None
    file: Annotated[str, Field(pattern=FILE_PATTERN)] | None = None
    country: Annotated[tuple[str, ...], BeforeValidator(_country)] = _Some
    continent: Annotated[tuple[Continent, ...], BeforeValidator(_capitals)] = _Some
    region: Annotated[tuple[str, ...], BeforeValidator(_region)] = _Some

    @model_validator(mode="after")
    def _somewhere(self) -> "GeoMatch":
        if (self.header is None) == (self.file is None):
            raise ValueError("geo needs either `header` (set by a CDN) or `file` (in the sidecars' policy folder)")
        kinds = sum(map(bool, (self.country, self.continent, self.region)))
        if not kinds:
            raise ValueError("geo needs country, continent or region, for example {country: [DE, FR]}")
        if self.header is not None and kinds > 1:
            raise ValueError("a header says one of country, continent and region; next: put two `geo` into `any`")
        return self

    @model_serializer(mode="wrap")
    def _dumped(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value}

    def test(self) -> Condition:
        """The contract's form. A header is a text like any other, in capitals or in small letters."""
        if self.header is not None:
            codes: tuple[str, ...] = self.country or self.continent or self.region
            return TextTest(Source.HEADER, self.header, Op.IN, (*codes, *(code.lower() for code in codes)))
        assert self.file is not None, "one of the two is there: checked when it was read"
        return GeoTest(self.file, self.country, self.continent, self.region)
