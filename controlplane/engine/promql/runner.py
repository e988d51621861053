"""Asks what the plans of running rollouts want to know of a Prometheus, each query at its own pace, beside everything
else: nothing waits for an answer, and who has none holds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from controlplane.engine.promql.query import Key, QueryBook, Reply
from controlplane.engine.secrets import SecretSource, credential_of
from controlplane.engine.world import World
from controlplane.manifest.promql import PromQuery
from controlplane.signals.pace.runner import Paced

log = logging.getLogger("serinus.promql")

# Of all rollouts together.
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
        self._paced = Paced(self._one, lambda query: query.every_ms, now_ms, at_once=AT_ONCE, log=log)

    async def run(self) -> None:
        """Until cancelled."""
        await self._paced.run(self._wanted)

    def look(self) -> None:
        """Ask what is due."""
        self._paced.look(self._wanted())

    def _wanted(self) -> Mapping[Key, PromQuery]:
        queries = {
            (rollout.name, query.name): query
            for rollout in self._world().active_rollouts
            for query in rollout.spec.promql
        }
        self._book().follow(queries)
        return queries

    async def _one(self, key: Key, query: PromQuery) -> None:
        credential = await asyncio.to_thread(credential_of, self._secrets, query.auth)
        reply = Reply(fault=credential.fault)
        if not credential.fault:
            reply = await self._ask(query.url, query.query, dict(credential.headers))
        self._book().add(key, reply, self._now_ms())
