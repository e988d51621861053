"""What a refusal means: which resources of a response a proxy will not have, and what it is to be given instead. Pure.

Rules: a refused resource is not sent again until its content changes, and what the proxy ran before stays wanted. Where
Envoy names the bad ones ("Error adding/updating cluster(s) chat/v2: …") the others of the response are given anew, so
that one bad cluster does not keep a good one from a proxy. Where it names none, all are suspects, and are given another
try together when one of them has changed: that may have been the bad one. Each refusal names one more, so this ends.

Measured on Envoy 1.40: a cluster that was refused late stays in its list of warming clusters, and no further CDS
response is answered until that cluster gets a config that Envoy takes, or is removed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.snapshot.resource import Resource, ResourceSet

# What a name may hold beside letters and digits: `chat/v1` does not stand in `chat/v10` nor in `my-chat/v1`.
_NAME_CHARACTERS = r"[\w./:-]"


@dataclass(frozen=True, slots=True)
class Refused:
    """`named`: bad in Envoy's words. `suspects`: of responses that were refused without saying for which."""

    named: frozenset[Resource] = frozenset()
    suspects: frozenset[Resource] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(item.name for item in self.named | self.suspects)

    def after(self, changed: Iterable[Resource], message: str) -> "Refused":
        """With the resources of another refused response. Words that name a suspect clear the other suspects: they may
        be late ones, of a response that had no answer when they became suspects.
        """
        every = frozenset(changed)
        named = named_in(every | self.suspects, message)
        if not named:
            return Refused(self.named, self.suspects | every)
        return Refused(self.named | named, self.suspects if named.isdisjoint(self.suspects) else frozenset())

    def still(self, wanted: ResourceSet) -> "Refused":
        """What stays refused while this is wanted: what has changed is given another try."""
        named = frozenset(item for item in self.named if wanted.resources.get(item.name) == item)
        is_same = all(wanted.resources.get(item.name) == item for item in self.suspects)
        return _unless_empty(named, self.suspects if is_same else frozenset())

    def settled(self, accepted: ResourceSet) -> "Refused":
        """Without what the proxy has taken after all: an answer that came late."""
        if not self.named and not self.suspects:
            return self
        return _unless_empty(
            frozenset(item for item in self.named if accepted.resources.get(item.name) != item),
            frozenset(item for item in self.suspects if accepted.resources.get(item.name) != item),
        )

    def instead(self, wanted: ResourceSet, accepted: ResourceSet | None) -> ResourceSet:
        """`wanted` with what the proxy ran before in the place of what it refused, or nothing where it ran nothing."""
        names = self.names
        if not names:
            return wanted
        good = wanted.without(names)
        return good.over(accepted.only(names)) if accepted is not None else good


NOTHING_REFUSED = Refused()


def _unless_empty(named: frozenset[Resource], suspects: frozenset[Resource]) -> Refused:
    """One value for nothing, which is what most streams have all their life: told by identity."""
    return Refused(named, suspects) if named or suspects else NOTHING_REFUSED


def named_in(resources: Iterable[Resource], message: str) -> frozenset[Resource]:
    """The resources that Envoy's words name."""
    return frozenset(item for item in resources if _is_named(item.name, message))


def culprits(resources: Iterable[Resource], message: str) -> frozenset[Resource]:
    """The resources that Envoy's words name, or all of them where they name none."""
    every = frozenset(resources)
    return named_in(every, message) or every


def _is_named(name: str, message: str) -> bool:
    pattern = rf"(?<!{_NAME_CHARACTERS}){re.escape(name)}(?![\w/-])"
    return name in message and re.search(pattern, message) is not None
