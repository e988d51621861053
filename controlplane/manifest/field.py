"""The types that manifest fields are made of. Each refuses what it does not know, with words that say what to write.

Field names are the manifest's keys; values are in base units, named by suffix (`_bp` basis points, `_ms`
milliseconds). Unknown keys are errors.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from controlplane.manifest.units import parse_duration_ms, parse_percent_bp, parse_points_bp


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, strict=True)


def choice(kinds: type[StrEnum], value: object, planned: Collection[str] = ()) -> object:
    """An enum by its text; a value that is planned but not built is refused by name."""
    if isinstance(value, str) and value in planned:
        raise ValueError(f"{value!r} is not built yet in this version; use one of {', '.join(kinds)}")
    if value not in list(kinds):
        raise ValueError(f"{value!r} is none of {', '.join(kinds)}")
    return kinds(str(value))


def as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


# RFC 1035: a name has 253 characters at most.
_HOST_CHARS_MAX = 253
# Envoy's domains: all, one name, or names with one end in common. Ports are left out of the comparison.
_HOST = re.compile(r"\*|(\*[.-])?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[a-z0-9]([a-z0-9._-]*[a-z0-9])?[.-]\*|\[[0-9a-f:.]+\]")


def parse_host(value: object) -> object:
    """A host as Envoy compares it: without case. One that it would refuse takes every other host's routes with it."""
    if not isinstance(value, str) or len(value) > _HOST_CHARS_MAX or not _HOST.fullmatch(value.lower()):
        raise ValueError(
            f"{value!r} is not a host; write a name without scheme, port or path, "
            "*.example.com or chat.* for many names, or * for all"
        )
    return value.lower()


def _every(value_ms: int) -> int:
    """More often tells nothing new, more seldom is no watch."""
    if not 1_000 <= value_ms <= 600_000:
        raise ValueError("`every` is 1s to 10m")
    return value_ms


def _some_time(value_ms: int) -> int:
    if value_ms == 0:
        raise ValueError("must be longer than 0s")
    return value_ms


# Envoy cluster names, header values and metric labels are built from names: a DNS label is safe in all of them.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"), AfterValidator(str.lower)]
Host = Annotated[str, BeforeValidator(parse_host)]
PercentBp = Annotated[int, BeforeValidator(parse_percent_bp)]
PointsBp = Annotated[int, BeforeValidator(parse_points_bp)]
DurationMs = Annotated[int, BeforeValidator(parse_duration_ms)]
# Envoy refuses timers of 0.
TimerMs = Annotated[int, BeforeValidator(parse_duration_ms), AfterValidator(_some_time)]
# Between two questions to somebody else.
EveryMs = Annotated[int, BeforeValidator(parse_duration_ms), AfterValidator(_every)]
