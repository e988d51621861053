"""The state of one ADS stream, state of the world. Values only: `stream.py` says what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.snapshot.resource import ResourceSet
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import Node
from controlplane.xds.refusal import NOTHING_REFUSED, Refused
from controlplane.xds.subscription import Subscription


@dataclass(frozen=True, slots=True)
class TypeState:
    """One type on one stream.

    `claimed`: the version that the client brought from before this stream. `sent`: what it holds if it accepts what
    it was sent, of what it still wants. `accepted`: what it runs, as far as this stream knows. `is_pending`: the
    response with `nonce` has no answer yet. `again`: names to send although unchanged. `reported`: the version last
    told as Accepted. `refused`: what it would not have and is not sent. `is_overdue`: the pending response has
    waited too long to be waited for.
    """

    subscription: Subscription
    claimed: str = ""
    sent: ResourceSet | None = None
    accepted: ResourceSet | None = None
    nonce: str = ""
    is_pending: bool = False
    again: frozenset[str] = frozenset()
    reported: str = ""
    refused: Refused = NOTHING_REFUSED
    balks: bool = False
    is_overdue: bool = False

    @property
    def pending(self) -> ResourceSet | None:
        """What was sent and is not answered yet."""
        return self.sent if self.is_pending else None


@dataclass(frozen=True, slots=True)
class StreamState:
    """`lingering`: clusters without a route, by generation. Counts say how many were given out so far."""

    node: Node | None = None
    target: Snapshot | None = None
    types: Mapping[str, TypeState] = field(default_factory=dict)
    responses: int = 0
    lingering: Mapping[int, frozenset[str]] = field(default_factory=dict)
    generations: int = 0
