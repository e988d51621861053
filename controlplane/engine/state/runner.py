"""What a control plane knows when it starts, or begins to lead: read back from the store."""

import logging

from controlplane.engine import recover
from controlplane.engine.evidence import EvidenceTracker, tracker_of
from controlplane.engine.world import World
from controlplane.store.port import Store
from controlplane.store.runner import StoreRunner

log = logging.getLogger("serinus.engine")


async def read_state(
    runner: StoreRunner, store: Store, *, with_evidence: bool
) -> tuple[World, dict[str, EvidenceTracker]]:
    """The world, and a tracker for each active rollout; quick without evidence. Raises StoreError."""
    world = recover.world_of(await runner.run(store.objects), await runner.run(store.latest))
    active = world.active_rollouts
    trackers = {each.name: tracker_of(each, world.services[each.spec.service].spec) for each in active}
    if trackers and with_evidence:
        for rollout in active:
            for begin in recover.begins_of(rollout, await runner.run(store.records, rollout.name)):
                trackers[rollout.name].begin(begin)
        since_ms = min(rollout.started_at_ms for rollout in active)
        batches = await runner.run(lambda since: list(store.batches(since)), since_ms)
        count = recover.replay(trackers, batches)
        log.info("state read", extra={"fields": {"rollouts_active": len(trackers), "batches": count}})
    return world, trackers
