"""The state of one ADS stream, state of the world. Values only: `stream.py` says what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    waited too long to be waited for. `rest`: see `rested`.
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
    rest: ResourceSet | None = field(default=None, compare=False)

    def rested(self, there: ResourceSet, wanted: ResourceSet) -> "TypeState":
        """The type, marked when nothing is left to do about it while it is not asked and `there` is the target's."""
        is_settled = not self.is_pending and self.sent is wanted and self.accepted is wanted
        is_quiet = not self.again and not self.balks and self.refused is NOTHING_REFUSED
        # Clusters that are kept beyond the target's wait for the routes of other types.
        is_whole = wanted is self.subscription.of(there)
        is_told = self.reported == there.version
        return replace(self, rest=there) if is_settled and is_quiet and is_whole and is_told else self

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
