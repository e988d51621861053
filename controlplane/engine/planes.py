"""What the other control planes over the same store see of the proxies whose streams are with them: told through the
store as one text a plane, and added to what this one sees. Pure.

Only of services that a rollout moves, since nobody else waits for a proxy. What cannot be read is taken for a plane
without proxies: they count as gone, as those of a stream that broke.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from controlplane.rollout.events import FleetFact

# Of a plane's rejections; one is enough to hold, these are for the sentence.
REJECTIONS_TOLD = 20
# A fleet of 10,000 proxies with names of 100 characters, of ten services.
TEXT_CHARS_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """Of one service: the routing revision that a plane publishes, the proxies connected there, and what they have."""

    snapshot: str
    nodes: tuple[str, ...]
    fleet: FleetFact


Seen = Mapping[str, ServiceSeen]  # by service


def text_of(seen: Seen) -> str:
    """One plane's sight, for the store."""
    told = {
        name: {"snapshot": of.snapshot, "nodes": of.nodes, **asdict(of.fleet)}
        | {"rejections": of.fleet.rejections[:REJECTIONS_TOLD]}
        for name, of in sorted(seen.items())
    }
    return json.dumps(told, separators=(",", ":"))


def seen_of(text: str) -> Seen:
    """The sight that a text tells; nothing, if it was written by a version that tells it otherwise."""
    try:
        if len(text) > TEXT_CHARS_MAX:
            return {}
        return {name: _service(told) for name, told in json.loads(text).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _service(told: Mapping[str, Any]) -> ServiceSeen:
    names = {key: _names(told[key]) for key in ("waiting", "warming", "rejections", "duplicates")}
    nodes = _names(told["nodes"])
    return ServiceSeen(str(told["snapshot"]), nodes, FleetFact(connected=len(nodes), **names))


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(value)
    return tuple(value)


def joined(own: ServiceSeen, others: Iterable[ServiceSeen]) -> ServiceSeen:
    """All planes' sight of one service. Whoever is connected here is seen best here: it may have come over just now. A
    plane that publishes another revision has not read ours yet: its proxies are waited for, all of them."""
    here, nodes, fleet = set(own.nodes), list(own.nodes), own.fleet
    for seen in others:
        theirs = [node for node in seen.nodes if node not in here]
        is_behind = seen.snapshot != own.snapshot
        waiting = theirs if is_behind else [node for node in seen.fleet.waiting if node not in here]
        fleet = replace(
            fleet,
            waiting=tuple(sorted({*fleet.waiting, *waiting})),
            warming=fleet.warming if is_behind else tuple(sorted({*fleet.warming, *seen.fleet.warming})),
            rejections=tuple(dict.fromkeys([*fleet.rejections, *seen.fleet.rejections])),
            duplicates=tuple(sorted({*fleet.duplicates, *seen.fleet.duplicates})),
        )
        nodes += theirs
        here |= set(theirs)
    return ServiceSeen(own.snapshot, tuple(nodes), replace(fleet, connected=len(nodes)))
