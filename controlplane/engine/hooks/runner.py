"""Makes the calls of hooks: it follows the world, whose every run is in the journal before its first call goes out.

A run that the world waits for and nobody works at is begun, after a restart too; one that nothing waits for any more is
given up. So calls are made at least once, under the key that the journal has. What came of a run goes back as an event,
again and again until the journal has it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from controlplane.engine.hooks.calls import HookCaller, HookReply, backoff_s, call_of, refusal
from controlplane.engine.secrets import SecretSource, credential_of
from controlplane.engine.world import NotFoundError, World
from controlplane.manifest.hook import Hook
from controlplane.rollout.events import HooksEnded
from controlplane.rollout.hooks import hook_of
from controlplane.rollout.model import HookRun, Rollout

log = logging.getLogger("serinus.hooks")

Ended = Callable[[str, HooksEnded], Awaitable[object]]


class HookRunner:
    def __init__(
        self,
        caller: HookCaller,
        secrets: SecretSource,
        *,
        now_ms: Callable[[], int],
        ended: Ended,
        wait_s: Callable[[int], float] = backoff_s,
    ) -> None:
        self._caller = caller
        self._secrets = secrets
        self._now_ms = now_ms
        self._ended = ended
        self._wait_s = wait_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Those that only tell what came of them: the world has changed by it, and they may end in peace.
        self._telling: set[str] = set()
        self._seen: Mapping[str, Rollout] = {}

    def follow(self, world: World) -> None:
        """Begin what the world waits for, give up the rest. Cheap where nothing has changed."""
        waiting = world.hooks_running
        if waiting is self._seen:
            return
        self._seen = waiting
        for key in [key for key in self._tasks if key not in waiting and key not in self._telling]:
            self._tasks.pop(key).cancel()
        for key, rollout in waiting.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._run(key, rollout), name=key)
                self._tasks[key].add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        if self._tasks.get(task.get_name()) is task:
            del self._tasks[task.get_name()]
            self._telling.discard(task.get_name())

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, key: str, rollout: Rollout) -> None:
        run = hook_of(rollout.phase)
        assert run is not None, "only these are followed"
        fault = ""
        try:
            for index, hook in enumerate(rollout.spec.hooks_of(run.kind)):
                fault = await self._call(rollout, run, index, hook)
                if fault:
                    break
        except Exception:
            log.exception("hooks cannot be called", extra={"fields": {"rollout": rollout.name}})
            fault = f"{run.kind} hooks: internal error; next: see the control plane's log"
        self._telling.add(key)
        text = fault or f"{run.kind} hooks have answered yes"
        await self._tell(rollout.name, key, passed=not fault, text=text)

    async def _call(self, rollout: Rollout, run: HookRun, index: int, hook: Hook) -> str:
        """Why it did not say yes; "" if it did."""
        for number in range(1, hook.retries + 2):
            credential = await asyncio.to_thread(credential_of, self._secrets, hook.auth)
            reply = HookReply(0, credential.fault)
            if not credential.fault:
                reply = await self._caller.call(call_of(rollout, run, index, hook, dict(credential.headers)))
            if reply.is_yes:
                return ""
            if reply.is_final or number > hook.retries:
                return refusal(run, hook, reply, number, credential.secret)
            await asyncio.sleep(self._wait_s(number))
        raise AssertionError("the last call returns")

    async def _tell(self, name: str, key: str, *, passed: bool, text: str) -> None:
        for number in range(1, 1 << 30):
            try:
                await self._ended(name, HooksEnded(self._now_ms(), key, passed, text))
                return
            except NotFoundError:
                return
            except Exception:
                log.exception("the end of hooks cannot be recorded", extra={"fields": {"rollout": name}})
                await asyncio.sleep(self._wait_s(number))
