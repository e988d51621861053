"""Recorded load to replay: how many requests came in each second. Text to values; reads no file itself.

Two forms, told apart by their header: one row a request with `arrival_s` (seconds since the start, as the Azure LLM
inference traces have it); or one row a window with `window_start_s` and `requests_per_s` (as ServeGen has it), each
window played in one second, so that a week's tides pass in half an hour. Only the shape is kept: the mean is the
simulation's `--rps`. A rollout starts anywhere in the trace and goes round at its end.
"""

import csv
import io
import math
from dataclasses import dataclass

import numpy as np

from controlplane.errors import SerinusError
from controlplane.evidence.kernel import Floats

_SECONDS_MAX = 10_000_000


class TraceError(SerinusError):
    """A trace that cannot be."""

    code = "invalid_trace"


@dataclass(frozen=True, slots=True)
class Trace:
    """`counts`: relative load by second, mean 1."""

    name: str
    counts: Floats

    def load(self, seconds: int, rng: np.random.Generator) -> Floats:
        start = int(rng.integers(len(self.counts)))
        return np.take(self.counts, np.arange(start, start + seconds), mode="wrap")


def read(name: str, text: str) -> Trace:
    """Raises TraceError that begins with NAME:LINE."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    columns = set(reader.fieldnames or ())
    if "arrival_s" in columns:
        arrivals = _column(name, reader, "arrival_s")
        counts = np.bincount(np.array(arrivals, dtype=np.float64).astype(np.int64)).astype(np.float64)
    elif {"window_start_s", "requests_per_s"} <= columns:
        counts = np.array(_column(name, reader, "requests_per_s"))
    else:
        raise TraceError(f"{name}:1: columns are {sorted(columns)}", next_step="give arrival_s, or requests_per_s")
    if not counts.any():
        raise TraceError(f"{name}:1: no requests", next_step="give a trace with traffic")
    return Trace(name, counts / counts.mean())


def _column(name: str, reader: "csv.DictReader[str]", column: str) -> list[float]:
    values = []
    try:
        for row in reader:
            value = float(row[column] or "")
            if not 0.0 <= value < _SECONDS_MAX or not math.isfinite(value):
                raise ValueError(f"is {value}")
            values.append(value)
    except (ValueError, csv.Error) as error:
        raise TraceError(f"{name}:{reader.line_num}: {column}: {error}", next_step="give seconds from 0 on") from None
    return values
