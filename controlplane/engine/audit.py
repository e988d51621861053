"""What people did: a record for each act, appended in one transaction with what it changed. Pure.

The audit is a journal like that of a rollout, under a name that no rollout can have: the same store, as durable, in
the same backup, and never changed or taken away. What was refused or failed changed nothing and is not in it. Manifests
are not in it either: the kinds and names that an apply touched are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.engine.world import Change
from controlplane.rollout.events import Command, HooksEnded
from controlplane.security.identity import Caller
from controlplane.store.port import Record, StoreError

# `@` begins no name of a manifest.
JOURNAL = "@audit"
FORMAT = 1
# An apply may touch thousands; the first say what it was, the number says how many.
OBJECTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Audited:
    """One act. `role` and `identity` are what the caller has shown, `claimed` what it said of itself beside that."""

    serial: int
    at_ms: int
    actor: str
    verb: str
    objects: tuple[str, ...]  # `rollout/chat-v2 configured`
    reason: str
    address: str
    identity: str
    role: str
    claimed: str


def commanded(by: Caller | None, name: str, command: Command | HooksEnded) -> list[Record]:
    """Of an operator's hand on a rollout. None: nobody called (a test, a bench)."""
    verb = type(command).__name__
    if by is None:
        return []
    return [_record(by, verb, (f"rollout/{name}",), getattr(command, "reason", ""), command.now_ms)]


def applied(by: Caller | None, changes: Sequence[Change], now_ms: int) -> list[Record]:
    """Of an apply; nothing if it changed nothing."""
    touched = [f"{one.kind.lower()}/{one.name} {one.change}" for one in changes if one.change != "unchanged"]
    if by is None or not touched:
        return []
    more = [f"and {len(touched) - OBJECTS_MAX} more"] if len(touched) > OBJECTS_MAX else []
    return [_record(by, "Apply", (*touched[:OBJECTS_MAX], *more), "", now_ms)]


def told(by: Caller, verb: str, objects: tuple[str, ...], reason: str, now_ms: int) -> Record:
    """Of an act on something else than a rollout."""
    return _record(by, verb, objects, reason, now_ms)


def audited(record: Record) -> Audited:
    """The act that a record of this journal keeps. Raises StoreError for anything else."""
    try:
        kept = json.loads(record.state)
        return Audited(
            serial=record.serial,
            at_ms=record.at_ms,
            actor=record.actor,
            verb=record.action,
            objects=tuple(map(str, kept["objects"])),
            reason=str(kept["reason"]),
            address=str(kept["address"]),
            identity=str(kept["identity"]),
            role=str(kept["role"]),
            claimed=str(kept["claimed"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"record {record.serial} of the audit cannot be read: {error}") from error


def _record(by: Caller, verb: str, objects: tuple[str, ...], reason: str, now_ms: int) -> Record:
    kept = {
        "format": FORMAT,
        "objects": objects,
        "reason": reason,
        "address": by.address,
        "identity": by.identity.described,
        "role": by.identity.role,
        "claimed": by.claimed,
    }
    text = f"{by.actor}: {verb} {', '.join(objects)}"
    state = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return Record(JOURNAL, 0, now_ms, False, state, verb, "audit", text, by.actor)
