"""Envoy's `/stats?format=json` -> the few counters that the sidecar cannot see of itself. Pure.

Names as Envoy 1.40 writes them; the listener's connection manager is `serinus`, its tag filter's stat prefix `tag`,
and the clusters of versions are the ones whose name has a slash. A name that is absent counts 0: Envoy creates some
counters with the first listener only.
"""

import json
import re
from dataclasses import dataclass

# One regular expression for the admin's `filter`, so that the answer stays small (~100 B a cluster).
STATS_FILTER = (
    r"^(access_logs\.grpc_access_log\.logs_(written|dropped)"
    r"|http\.serinus\.ext_proc\.tag\.(failure_mode_allowed|stream_msgs_received)"
    r"|cluster\.[^.]+/[^.]+\.membership_(total|healthy)"
    r"|server\.uptime)$"
)
# Envoy counts an entry as written when it takes it into its buffer, as dropped when the buffer (16 KB) is full because
# no healthy sidecar is there to flush to. Both were a request's: only their sum can be set against what came.
_WRITTEN = "access_logs.grpc_access_log.logs_written"
_DROPPED = "access_logs.grpc_access_log.logs_dropped"
_CLUSTER = re.compile(r"cluster\.([^.]+/[^.]+)\.membership_(total|healthy)")
# A group of proxies carries hundreds of versions at most.
CLUSTERS_MAX = 5_000


class BadStatsError(ValueError):
    """Envoy's answer is not what its admin API writes."""


@dataclass(frozen=True, slots=True)
class Cluster:
    name: str
    endpoints: int
    healthy: int


@dataclass(frozen=True, slots=True)
class ProxyStats:
    """Cumulative since Envoy's start. `answered`: the sidecar's answers; `untagged`: requests that got none in time.

    `logs_written`: every log entry, with those that Envoy dropped itself.
    """

    answered: int
    untagged: int
    logs_written: int
    uptime_s: int
    clusters: tuple[Cluster, ...]


def parse(body: bytes) -> ProxyStats:
    """Raises BadStatsError."""
    try:
        stats = json.loads(body)["stats"]
        values = {entry["name"]: int(entry["value"]) for entry in stats if "name" in entry and "value" in entry}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadStatsError(f"Envoy's statistics cannot be read: {error!r}") from error
    clusters: dict[str, dict[str, int]] = {}
    for name, value in values.items():
        found = _CLUSTER.fullmatch(name)
        if found and (found[1] in clusters or len(clusters) < CLUSTERS_MAX):
            clusters.setdefault(found[1], {})[found[2]] = value
    return ProxyStats(
        answered=values.get("http.serinus.ext_proc.tag.stream_msgs_received", 0),
        untagged=values.get("http.serinus.ext_proc.tag.failure_mode_allowed", 0),
        logs_written=values.get(_WRITTEN, 0) + values.get(_DROPPED, 0),
        uptime_s=values.get("server.uptime", 0),
        clusters=tuple(
            Cluster(name, counts.get("total", 0), counts.get("healthy", 0)) for name, counts in sorted(clusters.items())
        ),
    )
