"""What a control plane knows when it starts, or begins to lead: read back from the store; and what leaves the store."""

import logging
import secrets

from controlplane.engine import recover
from controlplane.engine.evidence import EvidenceTracker, tracker_of
from controlplane.engine.feedback import FeedbackDesk
from controlplane.engine.world import World
from controlplane.store.port import INSTALLATION, Record, Store, StoreError
from controlplane.store.runner import StoreRunner
from serinus.contract.feedback import KEY_BYTES

log = logging.getLogger("serinus.engine")

# Reasons to hold go after 90 days; what moved a rollout and what people did stays.
HOLDS_KEPT_MS = 90 * 24 * 3600 * 1000


async def read_state(
    runner: StoreRunner, store: Store, *, with_evidence: bool, now_ms: int
) -> tuple[World, dict[str, EvidenceTracker], FeedbackDesk]:
    """The world, a tracker for each active rollout, and the desk of feedback; quick without evidence.

    Raises StoreError.
    """
    world = recover.world_of(await runner.run(store.objects), await runner.run(store.latest))
    desk = FeedbackDesk(await feedback_key(runner, store, may_make=with_evidence, now_ms=now_ms))
    desk.follow(world, now_ms // 1000)
    active = world.active_rollouts
    trackers = {each.name: tracker_of(each, world.services[each.spec.service].spec) for each in active}
    if trackers and with_evidence:
        for rollout in active:
            for begin in recover.begins_of(rollout, await runner.run(store.records, rollout.name)):
                trackers[rollout.name].begin(begin)
        since_ms = min(rollout.started_at_ms for rollout in active)
        batches = await runner.run(lambda since: list(store.batches(since)), since_ms)
        count = recover.replay(trackers, batches, desk)
        log.info("state read", extra={"fields": {"rollouts_active": len(trackers), "batches": count}})
    return world, trackers, desk


async def feedback_key(runner: StoreRunner, store: Store, *, may_make: bool, now_ms: int) -> bytes:
    """The key of this installation, made when nobody has made one; b"" if it may not be made. Raises StoreError."""
    kept = await runner.run(store.records, INSTALLATION, 1)
    if not kept and may_make:
        key = secrets.token_bytes(KEY_BYTES)
        record = Record(
            INSTALLATION, 0, now_ms, False, key.hex(), "made", "feedback_key", "a key for ids of requests", ""
        )
        await runner.run(store.append, record)
        return key
    try:
        return bytes.fromhex(kept[0].state) if kept else b""
    except ValueError:
        raise StoreError(f"the newest record of {INSTALLATION} holds no key", next_step="restore a backup") from None


async def prune(runner: StoreRunner, store: Store, world: World, now_ms: int) -> None:
    """Batches older than every active rollout are evidence for nothing any more; old holds explain nothing."""
    await runner.run(store.prune_holds, now_ms - HOLDS_KEPT_MS)
    begun_ms = (rollout.started_at_ms for rollout in world.active_rollouts)
    await runner.run(store.prune_batches, min(begun_ms, default=now_ms))
