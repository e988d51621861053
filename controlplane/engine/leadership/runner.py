"""Several control planes over one store: the one that holds the lease runs the engine, the others follow.

A follower publishes what the leader has written, tells the leader how far its own proxies are, and answers reads; what
would change something is refused by the store. Whoever begins a term reads everything first: nothing that it knew
before counts, so a leader that lost its lease for a moment starts as afresh as another would. The lease's safety lies
in the store (`postgres.py`), not in this loop.
"""

import asyncio
import contextlib
import logging
from typing import Protocol

from controlplane.engine.planes import seen_of, text_of
from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.store.port import Lease, Store

log = logging.getLogger("serinus.leadership")

# With a lease of 5 s another leads at most 6 s after the leader's last sign of life, and the time to read the state.
LOOK_EVERY_S = 1.0


class SharedStore(Store, Lease, Protocol):
    """A store with a lease."""


class Leadership:
    def __init__(self, engine: Engine, store: SharedStore) -> None:
        self._engine = engine
        self._store = store
        self._term: int | None = None
        self._newest = -1
        self._working: asyncio.Task[None] | None = None

    @property
    def is_leading(self) -> bool:
        return self._term is not None

    async def start(self) -> None:
        """Lead or follow; either way the state is read and published. Raises StoreError, SnapshotError."""
        await self.look()
        log.info("leads" if self.is_leading else "follows: another control plane leads")

    async def run(self) -> None:
        """Until cancelled. Without the database it changes nothing, says so and tries again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except SerinusError as error:
                log.error("what is in force stays: %s", error)
            except Exception:
                log.exception("what is in force stays")

    async def look(self) -> None:
        term = await asyncio.to_thread(self._store.lead)
        if term is None:
            await self._follow()
        elif term != self._term:
            await self._lead(term)
        else:
            told = await asyncio.to_thread(self._store.told)
            self._engine.publisher.others = tuple(map(seen_of, told))

    async def _follow(self) -> None:
        if self.is_leading:
            log.error("leads no more: another control plane does, or a write broke off")
        await self._end()
        newest = await asyncio.to_thread(self._store.newest)
        if newest != self._newest:
            await self._engine.start(decides=False)
            self._newest = newest
        publisher = self._engine.publisher
        publisher.tick(self._engine.now_ms())
        moved = {rollout.spec.service for rollout in self._engine.world.active_rollouts}
        await asyncio.to_thread(self._store.tell, text_of(publisher.seen(moved)))

    async def _lead(self, term: int) -> None:
        await self._end()
        self._engine.publisher.others = ()
        try:
            await self._engine.start(lambda: self._store.write_as(term))
        except BaseException:
            # It may write by now, but does not know what there is.
            await asyncio.to_thread(self._store.resign)
            raise
        self._term = term
        self._working = asyncio.create_task(self._engine.run())
        log.info("leads from now on", extra={"fields": {"term": term}})

    async def _end(self) -> None:
        """Stop deciding. What the store was told last may be done or not: nobody relies on it before it is read."""
        self._term = None
        if self._working is not None:
            self._newest = -1
            self._working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._working
            self._working = None

    async def close(self) -> None:
        """Stop deciding, and let another lead at once."""
        await self._end()
        with contextlib.suppress(SerinusError):
            await asyncio.to_thread(self._store.resign)
