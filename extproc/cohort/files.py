"""The files of the policy folder that cohort policies name, by kind, and what was read from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from extproc.cohort.errors import BadFileError
from extproc.cohort.idlist import IdList
from extproc.cohort.mmdb import Places
from serinus.contract.condition import lists_read, places_read
from serinus.contract.policy import ServicePolicy


@dataclass(frozen=True, slots=True)
class FileNames:
    lists: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.lists) + len(self.places) + len(self.keys)


def names_of(policies: Iterable[ServicePolicy]) -> FileNames:
    """What these policies need."""
    policies = tuple(policies)
    conditions = [condition for policy in policies for condition in policy.conditions]
    keys = {policy.tokens.key_file for policy in policies if policy.tokens is not None}
    keys |= {policy.feedback.token_file for policy in policies if policy.feedback is not None} - {""}
    return FileNames(
        frozenset().union(*map(lists_read, conditions)),
        frozenset().union(*map(places_read, conditions)),
        frozenset(keys),
    )


@dataclass(frozen=True, slots=True)
class Files:
    """What was read, by name. Asking for one that is not here raises BadFileError."""

    lists: Mapping[str, IdList] = field(default_factory=dict)
    places: Mapping[str, Places] = field(default_factory=dict)
    keys: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    def ids(self, name: str) -> IdList:
        if name not in self.lists:
            raise BadFileError(f"list {name!r} is not loaded")
        return self.lists[name]

    def places_in(self, name: str) -> Places:
        if name not in self.places:
            raise BadFileError(f"file of places {name!r} is not loaded")
        return self.places[name]

    def signing_keys(self, name: str) -> tuple[bytes, ...]:
        if name not in self.keys:
            raise BadFileError(f"key file {name!r} is not loaded")
        return self.keys[name]
