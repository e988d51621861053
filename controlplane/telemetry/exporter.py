"""The catalogue as Prometheus series, and JSON logs."""

import json
import logging
import math
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version as distribution_version
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from controlplane.telemetry.catalogue import CATALOGUE
from controlplane.telemetry.ecs import ecs_line
from controlplane.telemetry.metric import Kind, Metric

# What the text format escapes in a label's value.
_ODD = re.compile(r'[\\"\n]')


class _Gauges:
    """One labelled family of gauges, as text in one pass. Of a thousand rollouts the library took 0.7 s of the engine's
    loop at each scrape.
    """

    def __init__(self, metric: Metric) -> None:
        labels = ",".join(f'{name}="%s"' for name in metric.labels)
        self._head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n"
        self._line = f"{metric.name}{{{labels}}} %s\n"
        self.values: dict[tuple[str, ...], float] = {}

    def text(self) -> str:
        line = self._line
        return self._head + "".join([line % (*_escaped(key), _number(value)) for key, value in self.values.items()])


def _escaped(labels: tuple[str, ...]) -> tuple[str, ...]:
    if not _ODD.search("".join(labels)):
        return labels
    return tuple(text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for text in labels)


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


class Exporter:
    """Holds one registry. Gauges of rollouts are replaced as a whole at each refresh, so that ended ones leave."""

    def __init__(self) -> None:
        # A second series beside every counter and histogram, which no query here uses.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._totals: dict[tuple[str, tuple[str, ...]], float] = {}
        self._counted: dict[str, set[tuple[str, ...]]] = {}
        self._gauges = {metric.name: _Gauges(metric) for metric in CATALOGUE if _is_labelled_gauge(metric)}
        self._families: dict[str, Any] = {
            metric.name: self._family(metric) for metric in CATALOGUE if metric.name not in self._gauges
        }

    def _family(self, metric: Metric) -> Counter | Gauge | Histogram:
        match metric.kind:
            case Kind.COUNTER:
                return Counter(metric.name, metric.help, metric.labels, registry=self._registry)
            case Kind.GAUGE:
                return Gauge(metric.name, metric.help, metric.labels, registry=self._registry)
            case Kind.HISTOGRAM:
                return Histogram(
                    metric.name, metric.help, metric.labels, registry=self._registry, buckets=metric.buckets
                )

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter. Labels in the catalogue's order."""
        family = self._families[metric.name]
        if labels:
            self._counted.setdefault(metric.name, set()).add(labels)
            family = family.labels(*labels)
        family.inc(by)

    def keep(self, metric: Metric, is_wanted: Callable[[tuple[str, ...]], bool]) -> None:
        """Drop a labelled counter's other series: what a counter has counted once it has for ever otherwise. Should one
        come back it begins at 0, which Prometheus takes for a restart."""
        counted = self._counted.get(metric.name, set())
        for labels in [labels for labels in counted if not is_wanted(labels)]:
            counted.remove(labels)
            self._totals.pop((metric.name, labels), None)
            self._families[metric.name].remove(*labels)

    def count_to(self, metric: Metric, total: float, *labels: str) -> None:
        """Raise a counter to a total that is counted elsewhere; a total below it changes nothing."""
        key = (metric.name, labels)
        grown = total - self._totals.get(key, 0.0)
        if grown > 0:
            self._totals[key] = total
            self.count(metric, *labels, by=grown)

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge. Labels in the catalogue's order."""
        if metric.labels:
            self._gauges[metric.name].values[labels] = value
        else:
            self._families[metric.name].set(value)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add one observation to a histogram, in the unit of its name."""
        family = self._families[metric.name]
        (family.labels(*labels) if labels else family).observe(value)

    def clear(self, metric: Metric) -> None:
        """Drop every series of a labelled gauge."""
        self._gauges[metric.name].values.clear()

    def text(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self._registry) + "".join([each.text() for each in self._gauges.values()]).encode()


def _is_labelled_gauge(metric: Metric) -> bool:
    return metric.kind is Kind.GAUGE and bool(metric.labels)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: UTC time, level, logger, message, and what came as `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "ts": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class EcsFormatter(logging.Formatter):
    """The same in the Elastic Common Schema."""

    def __init__(self) -> None:
        super().__init__()
        self._version = distribution_version("serinus")

    def format(self, record: logging.LogRecord) -> str:
        line = ecs_line(
            at=self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            level=record.levelname.lower(),
            logger=record.name,
            message=record.getMessage(),
            fields=getattr(record, "fields", {}),
            version=self._version,
            error=self.formatException(record.exc_info) if record.exc_info else "",
        )
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str = "INFO", *, ecs: bool = False) -> None:
    """JSON lines on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = EcsFormatter() if ecs else JsonFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
