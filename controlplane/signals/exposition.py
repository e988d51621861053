"""A Prometheus text exposition -> a reading. Pure; never raises.

Only lines of names that the table knows are parsed: a scrape of a thousand series costs what its dozen costs, and a
line that is broken elsewhere breaks nothing. Values that cannot be true (NaN, infinite, negative, a share above one)
are left out, so a signal is absent rather than wrong; so is one of a line that cannot be parsed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from controlplane.signals.mapping import COPIES, NAMES, TABLE, Line, plain
from controlplane.signals.signal import Reading, Signal, is_sound, merged

_LINE = re.compile(
    "^(?:" + "|".join(sorted(name.replace("_", "[:_]") for name in NAMES)) + ")(?:[{ \t].*)$", re.MULTILINE
)
# A server of a hundred models and eight ranks shows a thousand of our series; each costs 20 µs.
SERIES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


def reading_of(text: str, labels: Mapping[str, str] | None = None) -> Reading:
    """The signals of one server. `labels`: series that have one of these with another value are of another model or
    version on the same server, and left out."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples(text):
        if all(sample.labels.get(key, value) == value for key, value in (labels or {}).items()):
            by_name.setdefault(sample.name, []).append(sample)
    found: dict[Signal, float] = {}
    for line in TABLE:
        if line.signal not in found and (value := _value(line, by_name)) is not None:
            found[line.signal] = value
    return found


def samples(text: str) -> list[Sample]:
    """Of the names that the table knows, compared as it compares them."""
    found: list[Sample] = []
    for match in _LINE.finditer(text):
        if len(found) >= SERIES_MAX:
            break
        try:
            (family,) = text_string_to_metric_families(match[0].rstrip("\r") + "\n")
            (sample,) = family.samples
        except (ValueError, LookupError):  # the parser runs off the end of an odd label
            continue
        found.append(Sample(plain(sample.name), sample.labels, float(sample.value)))
    return found


def _value(line: Line, by_name: Mapping[str, list[Sample]]) -> float | None:
    first = _one(line, by_name.get(plain(line.name), ()))
    if first is None or not line.plus:
        return first
    second = _one(line, by_name.get(plain(line.plus), ()))
    return None if second is None else first + second


def _one(line: Line, of: Iterable[Sample]) -> float | None:
    """Copies by their largest, then all of them merged."""
    parts: dict[frozenset[tuple[str, str]], float] = {}
    for sample in of:
        value = sample.value * line.scale
        if is_sound(line.signal, value) and line.labels.items() <= sample.labels.items():
            place = frozenset(item for item in sample.labels.items() if item[0] not in COPIES)
            parts[place] = max(parts.get(place, 0.0), value)
    return merged({line.signal: value} for value in parts.values()).get(line.signal)
