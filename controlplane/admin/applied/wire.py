"""What an apply does, or would do, and what is applied -> `serinus.v1.Admin`. No I/O."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.engine.world import Change, World
from serinus.v1 import admin_pb2


def apply_response(changes: Sequence[Change], before: World | None) -> admin_pb2.ApplyResponse:
    """`before`: the world that the apply found, where what objects were and would be is asked for."""
    response = admin_pb2.ApplyResponse()
    for one in changes:
        told = response.objects.add(kind=one.kind, name=one.name, change=one.change, note=one.note)
        if before is not None:
            told.before, told.after = _text(_data_of(before, one.kind, one.name)), _text(one.data)
    return response


def spec_sha256(world: World, kind: str, name: str) -> str:
    """The same for equal specs, however their files were written; "": there is no such object."""
    data = _data_of(world, kind, name)
    canonical = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest() if data else ""


def _data_of(world: World, kind: str, name: str) -> Mapping[str, Any]:
    kinds: Mapping[str, Mapping[str, Any]]
    kinds = {"Service": world.services, "Rollout": world.rollouts, "ProxyGroup": world.groups}
    kinds = {**kinds, "AlertRule": world.rules}
    entry = kinds[kind].get(name)
    return entry.data if entry is not None else {}


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) if data else ""
