"""Asks what the plans of running rollouts want to know of a Prometheus, each query at its own pace, beside everything
else: nothing waits for an answer, and who has none holds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from controlplane.engine.promql.query import Key, QueryBook, Reply
from controlplane.engine.secrets import SecretSource, credential_of
from controlplane.engine.world import World
from controlplane.manifest.promql import PromQuery

log = logging.getLogger("serinus.promql")

LOOK_S = 0.5
# Of all rollouts together; more wait their turn.
AT_ONCE = 32

Ask = Callable[[str, str, dict[str, str]], Awaitable[Reply]]


class QueryRunner:
    """`world`: as it is now; empty where nothing is to be asked. `book`: of the engine, new at each of its starts."""

    def __init__(
        self,
        ask: Ask,
        secrets: SecretSource,
        *,
        world: Callable[[], World],
        book: Callable[[], QueryBook],
        now_ms: Callable[[], int],
    ) -> None:
        self._ask, self._secrets = ask, secrets
        self._world, self._book, self._now_ms = world, book, now_ms
        self._asked_ms: dict[Key, int] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def look(self) -> None:
        """Ask what is due."""
        now_ms = self._now_ms()
        queries = {
            (rollout.name, query.name): query
            for rollout in self._world().active_rollouts
            for query in rollout.spec.promql
        }
        self._book().follow(queries)
        self._asked_ms = {key: at_ms for key, at_ms in self._asked_ms.items() if key in queries}
        for key, query in queries.items():
            is_due = not 0 <= now_ms - self._asked_ms.get(key, -query.every_ms) < query.every_ms
            if is_due and key not in self._tasks:
                self._asked_ms[key] = now_ms
                self._tasks[key] = asyncio.create_task(self._one(key, query))

    async def _one(self, key: Key, query: PromQuery) -> None:
        try:
            credential = await asyncio.to_thread(credential_of, self._secrets, query.auth)
            reply = Reply(fault=credential.fault)
            if not credential.fault:
                async with self._gate:
                    reply = await self._ask(query.url, query.query, dict(credential.headers))
            self._book().add(key, reply, self._now_ms())
        except Exception:
            # It has no answer then, and is asked again in its time.
            log.exception("a query cannot be asked", extra={"fields": {"rollout": key[0], "query": key[1]}})
        finally:
            del self._tasks[key]
