"""`serinus demo`: the main job on real parts, in two acts, on one machine.

Model servers, then control plane, sidecar and Envoy, then users; a good candidate must be promoted and a broken one
rolled back, and no user may see a failed request. The users never stop between the acts. Everything is bounded in time
and everything ends with it, also on Ctrl-C.
"""

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console

from controlplane.local.demo import llama
from controlplane.local.demo.acts import ACTS, Act, rollout_manifest, service_manifest
from controlplane.local.demo.admin import DemoAdmin
from controlplane.local.demo.errors import ModelServerError
from controlplane.local.demo.files import write_reports
from controlplane.local.demo.load import Load, LoadPlan
from controlplane.local.demo.outcome import ActOutcome, as_json, faults, outcome_of, summary_rows
from controlplane.local.demo.screen import Screen, Views
from controlplane.local.demo.servers import ModelServers
from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack
from serinus.v1 import admin_pb2

EXIT_OK, EXIT_ERROR = 0, 1
# Two real servers answer 12 requests/s: 10 % to 50 % needs some 40 of the candidate's users, that is 30-40 s.
ACT_DEADLINE_S = 130.0
# What comes after the end: answers of the last second, and the proof that nobody reaches a rolled-back candidate.
AFTER_ACT_S = 2.0
GATEWAY_TIMEOUT_S = 15.0
# Two answers at once a server, two servers on two cores; a third client keeps both busy while one waits.
LLM_LOAD = LoadPlan(clients=3)
# 4 ms of CPU a request over all processes, so 0.8 of two cores: 8,519 requests, none untagged, on a quiet machine. On a
# busy one the sidecar's turn then comes too late (rollouts hold, rightly); `--rate` takes less.
SIMULATED_RATE_PER_S = 200.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`rate_per_s`: requests of the simulated users. `act`: good, bad or all. `output`: table or json.

    `state_dir`: where this run makes a directory of its own; None: a temporary one, removed at the end.
    """

    simulated: bool = False
    act: str = "all"
    output: str = "table"
    state_dir: Path | None = None
    report_dir: Path = Path("reports")
    rate_per_s: float = SIMULATED_RATE_PER_S


async def run_demo(options: DemoOptions, views: Views) -> int:
    """0: every act ended as it must and no user saw a failed request; 1: not, and it is said why.

    Raises SerinusError when it cannot start: no model server for this machine, no Envoy, a process that does not come.
    """
    is_json = options.output == "json"
    screen = Screen(Console(stderr=is_json), views)
    if not options.simulated:
        llama.find_server()
        llama.find_model()
    began = time.monotonic()
    with _ends_on_sigterm(), _directory(options.state_dir) as directory:
        async with AsyncExitStack() as stack:
            demo = await _Demo.start(stack, options, directory, screen)
            played = await demo.play(ACTS[options.act])
        # Drawing takes a second of this process: after the users have gone.
        outcomes = [write_reports(options.report_dir, *each) for each in played]
    elapsed_s = time.monotonic() - began
    is_ok = len(outcomes) == len(ACTS[options.act]) and not any(faults(outcome) for outcome in outcomes)
    _summarise(screen, outcomes, elapsed_s, is_ok=is_ok)
    if is_json:
        facts = {
            "ok": is_ok,
            "simulated": options.simulated,
            "duration_s": round(elapsed_s, 1),
            "acts": [as_json(outcome) for outcome in outcomes],
        }
        sys.stdout.write(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    return EXIT_OK if is_ok else EXIT_ERROR


def _load_plan(options: DemoOptions) -> LoadPlan:
    return LoadPlan(clients=100, rate_per_s=options.rate_per_s) if options.simulated else LLM_LOAD


@contextlib.contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    if given is not None:
        # A store of an earlier demo knows its rollouts, and servers that are gone: a directory for each run.
        own = given.expanduser() / datetime.now(UTC).strftime("demo-%Y%m%d-%H%M%S")
        own.mkdir(parents=True, mode=0o700)
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="serinus-demo-") as path:
        yield Path(path)


@contextlib.contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: by cancelling it, so that every process it started is ended."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


# An act's facts, the control plane's own record, and the manifests.
Played = tuple[ActOutcome, admin_pb2.ExplainResponse, str]


@dataclass(slots=True)
class _Demo:
    """Everything that runs. Built by `start`; the exit stack ends it, newest first."""

    options: DemoOptions
    screen: Screen
    servers: ModelServers
    admin: DemoAdmin
    load: Load
    endpoints: dict[str, str]

    @classmethod
    async def start(cls, stack: AsyncExitStack, options: DemoOptions, directory: Path, screen: Screen) -> "_Demo":
        first = ACTS[options.act][0]
        log_dir = directory / "logs"
        log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        servers = await stack.enter_async_context(ModelServers(log_dir, simulated=options.simulated, notify=screen.say))
        what = "built-in model servers" if options.simulated else llama.MODEL_WORDS
        screen.say(f"starting {first.baseline} and {first.candidate}: {what}")
        endpoints = {
            version: await servers.start(version, broken=version == first.candidate and first.is_broken)
            for version in (first.baseline, first.candidate)
        }
        screen.say("starting control plane, sidecar and Envoy")
        local = await stack.enter_async_context(Stack(StackSettings.ephemeral(directory), notify=screen.say))
        admin = await stack.enter_async_context(DemoAdmin(local.settings.admin))
        await admin.apply("service.yaml", service_manifest(first, endpoints))
        await _until_served(f"http://{local.settings.listen}/v1/models")
        load = Load(local.settings.listen, _load_plan(options))
        await stack.enter_async_context(load)
        screen.say(f"gateway http://{local.settings.listen}, admin API {local.settings.admin}, logs {log_dir}")
        return cls(options, screen, servers, admin, load, endpoints)

    async def play(self, acts: tuple[Act, ...]) -> list[Played]:
        """One after the other; an act that failed is the last."""
        played: list[Played] = []
        for act in acts:
            played.append(await self._act(act, is_first=not played))
            if faults(played[-1][0]):
                break
        return played

    async def _act(self, act: Act, *, is_first: bool) -> Played:
        self.screen.heading(act.title)
        if act.is_broken:
            fault = "answers that run on without end" if self.options.simulated else llama.FAULT_WORDS
            self.screen.say(f"{act.candidate}: {fault}; every answer is HTTP 200")
        if act.candidate not in self.endpoints:
            self.endpoints[act.candidate] = await self.servers.start(act.candidate, broken=act.is_broken)
        shown = f"{service_manifest(act, self.endpoints)}---\n{rollout_manifest(act)}"
        self.screen.manifest(shown)
        begin_ms, first = _now_ms(), len(self.load.requests)
        # The service of the first act is in force already: the users came through it.
        await self.admin.apply(f"{act.rollout}.yaml", rollout_manifest(act) if is_first else shown)
        await self._watch(act)
        await asyncio.sleep(AFTER_ACT_S)
        for version in [each for each in self.endpoints if each not in (act.baseline, act.candidate)]:
            await self.servers.stop(version)  # out of the routes since the manifest was applied, and idle
            del self.endpoints[version]
        response = await self.admin.explain(act.rollout)
        requests = [sent for sent in self.load.requests[first:] if sent.started_ms >= begin_ms]
        outcome = outcome_of(act, self.admin.told(response), requests, until_ms=_now_ms())
        return outcome, response, shown

    async def _watch(self, act: Act) -> None:
        """Until the rollout ends, at most ACT_DEADLINE_S; a failed request does not end it: it must be seen in full."""
        with self.screen.watching(), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACT_DEADLINE_S):
                async for view in self.admin.watch(act.rollout):
                    self.screen.show(view, self._load_words())

    def _load_words(self) -> str:
        load = self.load
        words = f"users: {len(load.requests)} requests, {load.rate_per_s():.0f}/s, {load.failed} failed"
        return words + (f", {load.not_sent} not sent (machine too busy)" if load.not_sent else "")


async def _until_served(url: str) -> None:
    """Polls through the gateway: route, cluster and model server are there. Raises ModelServerError after the time."""
    deadline, last = time.monotonic() + GATEWAY_TIMEOUT_S, "no answer"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
                    last = f"HTTP {answer.status}"
            await asyncio.sleep(0.05)
    raise ModelServerError(f"the gateway does not serve {url} after {GATEWAY_TIMEOUT_S:g} s: {last}")


def _summarise(screen: Screen, outcomes: list[ActOutcome], elapsed_s: float, *, is_ok: bool) -> None:
    for outcome in outcomes:
        screen.heading(outcome.act.title)
        screen.rows(summary_rows(outcome))
        for sentence in outcome.told.sentences:
            screen.say(f"  {sentence}")
        for path in outcome.reports:
            screen.say(f"  report: {path}")
        for fault in faults(outcome):
            screen.say(f"  FAULT: {fault}")
    words = "both acts ended as they must" if len(outcomes) > 1 else "the act ended as it must"
    end = f"{words}, no user saw a failed request" if is_ok else "the demo did not end as it must"
    screen.heading(f"{end} ({elapsed_s:.0f} s)")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
