"""The state of one incremental ADS stream. Values only: `delta.py` takes requests in, `delta_push.py`
decides what to send."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controlplane.snapshot.resource import NOTHING, Resource, ResourceSet
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.events import Node
from controlplane.xds.refusal import NOTHING_REFUSED, Refused
from controlplane.xds.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Pending:
    """A response without an answer: what was in it, and what the client runs once it has accepted it."""

    nonce: str
    changed: tuple[Resource, ...]
    removed: tuple[str, ...]
    then: ResourceSet
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class DeltaType:
    """One type on one stream.

    `accepted`: what the client runs, as far as known. `again`: names to answer although unchanged. `is_answered`: it
    has had a response, or brought something, so that an empty one would tell it nothing. `refused`: what it would not
    have and is not sent; `heal`: clusters of a refused response, of which nobody knows whether the client took them, so
    that the next response must settle them. `balks`: it has refused what it ran already, or a removal; nothing of that
    kind is sent until something else is wanted. `reported`: the version last told as Accepted.
    `rest`: see `rested`.
    """

    subscription: Subscription
    accepted: ResourceSet = NOTHING
    pending: Pending | None = None
    again: frozenset[str] = frozenset()
    is_answered: bool = False
    has_brought: bool = False
    refused: Refused = NOTHING_REFUSED
    heal: frozenset[str] = frozenset()
    balks: bool = False
    reported: str = ""
    rest: ResourceSet | None = field(default=None, compare=False)

    def rested(self, there: ResourceSet, goal: ResourceSet) -> "DeltaType":
        """The type, marked when nothing is left to do about it as long as it is not asked and `there` is the target's:
        true of most types most times, so an answer to one type costs a look at that type alone.
        """
        is_settled = self.pending is None and self.is_answered and self.accepted is goal
        is_quiet = not self.again and not self.heal and not self.balks and self.refused is NOTHING_REFUSED
        return replace(self, rest=there) if is_settled and is_quiet and self.reported == there.version else self

    @property
    def is_free(self) -> bool:
        """Whether a response may be sent."""
        return self.pending is None or self.pending.is_overdue

    @property
    def running(self) -> tuple[ResourceSet, ...]:
        """What the client may run: the accepted, and what follows when it accepts what is under way."""
        return (self.accepted,) if self.pending is None else (self.accepted, self.pending.then)


@dataclass(frozen=True, slots=True)
class DeltaState:
    """`lingering`: clusters without a route, by generation. Counts say how many were given out so far."""

    node: Node | None = None
    target: Snapshot | None = None
    types: Mapping[str, DeltaType] = field(default_factory=dict)
    responses: int = 0
    lingering: Mapping[int, frozenset[str]] = field(default_factory=dict)
    generations: int = 0
