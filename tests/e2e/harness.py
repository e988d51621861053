"""The whole of Serinus for end-to-end tests: the real three processes between test clients and test model servers.

`Site` holds a stack, two versions of a model, a client and the admin API. Everything is bounded in time; nothing is
left running. The event loop must run in the main thread (`conftest.runner`).
"""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import aiohttp
import grpc
from prometheus_client.parser import text_string_to_metric_families

from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack
from serinus.v1 import admin_pb2, admin_pb2_grpc
from tests.e2e.load import Client, Reply
from tests.e2e.upstream import ModelUpstream

T = TypeVar("T")
# Of a machine that is busy with other tests; nothing asserts it.
CALL_TIMEOUT_S = 30.0
# A control plane that starts for ten seconds on a busy machine is met at once: by default a channel then waits as long again.
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
UNTAGGED = "http.serinus.ext_proc.tag.failure_mode_allowed"
TAGGED = "http.serinus.ext_proc.tag.stream_msgs_received"


async def wait_for(ask: Callable[[], T | Awaitable[T]], *, timeout_s: float, what: str, poll_s: float = 0.1) -> T:
    """Polls until `ask` gives something true, and returns it. AssertionError with the last answer after the time."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ask()
        value: T = await answer if isinstance(answer, Awaitable) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last answer: {value!r}")
        await asyncio.sleep(poll_s)


def service_text(
    name: str,
    versions: Mapping[str, str],
    *,
    host: str,
    sticky: str = "{header: x-user-id}",
    baseline: str = "v1",
    cohorts: str = "[]",
    protocol: str = "http",
    observe_body: bool = False,
    datapath: str = "ext_proc",
    slices: str = "[]",
) -> str:
    """A Service manifest; `versions` name -> endpoint, `sticky` and `cohorts` as YAML flow text. Through the sidecar."""
    rows = ", ".join(
        f'{{name: {version}, endpoints: ["{address}"], health: {{path: /health, interval: 200ms}}}}'
        for version, address in versions.items()
    )
    observe = "\n  observe: {body: true}" if observe_body else ""
    return f"""---
apiVersion: serinus/v1
kind: Service
metadata: {{name: {name}}}
spec:
  protocol: {protocol}
  hosts: ["{host}"]
  sticky: {sticky}
  datapath: {datapath}
  versions: [{rows}]
  baseline: {baseline}
  cohorts: {cohorts}
  slices: {slices}{observe}
"""


def rollout_text(
    name: str,
    service: str,
    *,
    steps: Sequence[str] = ("25%", "100%"),
    candidate: str = "v2",
    min_step: str = "1h",
    follow_up: str = "1s",
    harm_budget: str = "50%",
    guardrails: str = "[{metric: errors}]",
) -> str:
    """A Rollout manifest. By default it stays in its first step: `min_step` is longer than any test."""
    return f"""---
apiVersion: serinus/v1
kind: Rollout
metadata: {{name: {name}}}
spec:
  service: {service}
  candidate: {candidate}
  steps: [{", ".join(steps)}]
  pace: {{min_step: {min_step}, follow_up: {follow_up}}}
  harm_budget: {harm_budget}
  guardrails: {guardrails}
"""


class Admin:
    """The operator's API, as the CLI calls it."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=RECONNECT)
        self._stub = admin_pb2_grpc.AdminStub(self._channel)

    async def close(self) -> None:
        await self._channel.close()

    async def apply(self, *texts: str) -> list[str]:
        """All or nothing. Returns what changed: "Service chat created"."""
        answer = await self.applied(*texts)
        return [f"{each.kind} {each.name} {each.change}" for each in answer.objects]

    async def applied(self, *texts: str) -> admin_pb2.ApplyResponse:
        """The same with its notes."""
        files = [admin_pb2.ManifestFile(name=f"test-{n}.yaml", text=text) for n, text in enumerate(texts)]
        return await self._stub.Apply(admin_pb2.ApplyRequest(files=files, actor="test"), timeout=CALL_TIMEOUT_S)

    async def rollout(self, name: str) -> admin_pb2.RolloutView:
        request = admin_pb2.GetRequest(kind="rollout", name=name)
        # A control plane that is just coming back is waited for.
        answer = await self._stub.Get(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)
        return answer.rollouts[0]

    async def proxies(self) -> list[admin_pb2.ProxyView]:
        """Empty while a control plane that just came back has not seen its proxy again."""
        answer = await self._stub.Get(admin_pb2.GetRequest(kind="proxy"), timeout=CALL_TIMEOUT_S, wait_for_ready=True)
        return list(answer.proxies)

    async def abort(self, name: str, reason: str = "a test") -> admin_pb2.RolloutView:
        request = admin_pb2.OperatorRequest(rollout=name, actor="test", reason=reason)
        return (await self._stub.Abort(request, timeout=CALL_TIMEOUT_S)).rollout

    async def promote(self, name: str, *, skip_analysis: bool = False) -> admin_pb2.RolloutView:
        request = admin_pb2.PromoteRequest(rollout=name, actor="test", reason="a test", skip_analysis=skip_analysis)
        return (await self._stub.Promote(request, timeout=CALL_TIMEOUT_S)).rollout

    async def approve(self, name: str, step_bp: int) -> None:
        request = admin_pb2.ApproveRequest(rollout=name, actor="test", reason="a test", step_bp=step_bp)
        await self._stub.Approve(request, timeout=CALL_TIMEOUT_S)

    async def feedback(self, request_id: str, *, score: float) -> admin_pb2.FeedbackResponse:
        request = admin_pb2.FeedbackRequest(request_id=request_id, actor="test", score=score)
        return await self._stub.Feedback(request, timeout=CALL_TIMEOUT_S)

    async def explain(self, name: str) -> admin_pb2.ExplainResponse:
        return await self._stub.Explain(admin_pb2.ExplainRequest(rollout=name), timeout=CALL_TIMEOUT_S)

    async def until_observing(self, name: str, *, weight_bp: int, timeout_s: float = 60.0) -> admin_pb2.RolloutView:
        """The step with that weight has begun: every proxy has it, and the split was seen. Needs traffic."""

        async def there() -> admin_pb2.RolloutView | None:
            view = await self.rollout(name)
            return view if view.phase == "observing" and view.weight_bp == weight_bp else None

        try:
            view = await wait_for(there, timeout_s=timeout_s, what=f"{name} observes at {weight_bp} bp")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {(await self.rollout(name)).message}") from error
        assert view is not None
        return view


@dataclass
class Site:
    """A running stack with versions v1 and v2 of a model behind it. An async context manager."""

    stack: Stack
    v1: ModelUpstream
    v2: ModelUpstream
    client: Client
    admin: Admin
    first: dict[str, Reply] = field(default_factory=dict)  # what a fixture asked before anything else

    @classmethod
    async def start(cls, state_dir: Path, services: Callable[[Mapping[str, str]], Iterable[str]]) -> "Site":
        """`services` makes manifests from the versions' addresses; they are in force when this returns."""
        v1, v2 = ModelUpstream("v1"), ModelUpstream("v2")
        await v1.start()
        await v2.start()
        manifest = state_dir / "services.yaml"
        manifest.write_text("".join(services({"v1": v1.address, "v2": v2.address})))
        settings = StackSettings.ephemeral(state_dir / "state", manifests=(manifest,))
        stack = Stack(settings, drain_timeout_ms=2_000)
        try:
            await stack.start()
        except BaseException:
            await v1.stop()
            await v2.stop()
            raise
        return cls(stack, v1, v2, Client(settings.listen), Admin(settings.admin))

    async def stop(self) -> None:
        await self.client.close()
        await self.admin.close()
        await self.stack.stop()
        await self.v1.stop()
        await self.v2.stop()

    async def __aenter__(self) -> "Site":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def sidecar_metrics(self) -> dict[str, float]:
        """Sums over all labels, by metric name, from the sidecar's /metrics."""
        return await scrape(f"http://{self.stack.settings.sidecar_http}/metrics")

    async def envoy_stat(self, name: str) -> int:
        """One counter or gauge of Envoy's own; 0 if it has none of that name."""
        url, only = f"http://{self.stack.settings.envoy_admin}/stats", {"filter": f"^{re.escape(name)}$"}
        async with aiohttp.ClientSession() as session, session.get(url, params=only) as answer:
            rows = dict(line.split(": ", 1) for line in (await answer.text()).splitlines() if ": " in line)
        return int(rows.get(name, 0))

    @contextlib.asynccontextmanager
    async def sidecar_dead(self) -> AsyncIterator[None]:
        """Killed, and its successor stopped before it can open the socket: dead for as long as the block runs."""
        dead = self.stack.pid("extproc")
        os.kill(dead, signal.SIGKILL)

        def next_one() -> int:
            return self.stack.pid("extproc") if self.stack.is_running("extproc") else dead

        await wait_for(lambda: next_one() != dead, timeout_s=10, what="the next sidecar", poll_s=0.002)
        successor = self.stack.pid("extproc")
        os.kill(successor, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(successor, signal.SIGCONT)
            await self.until_tagging()

    async def all_tagged(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives once every request of it was tagged: on a machine with more to do than it can, a sidecar's
        answer may take longer than its 50 ms, and that is not the subject."""
        for _ in range(20):
            before = await self.envoy_stat(UNTAGGED)
            answer = await ask()
            if await self.envoy_stat(UNTAGGED) == before:
                return answer
            await asyncio.sleep(0.5)
        raise AssertionError("some requests are untagged every time")

    async def until_tagging(self, *, timeout_s: float = 20.0) -> None:
        """Envoy asks the sidecar again and gets answers: the probe's requests go through it untagged or tagged."""

        async def answered() -> bool:
            before = await self.envoy_stat(TAGGED)
            await self.client.ask("probe")
            return await self.envoy_stat(TAGGED) > before

        await wait_for(answered, timeout_s=timeout_s, what="tagging resumes")


async def scrape(url: str) -> dict[str, float]:
    """Prometheus text, summed over labels by sample name."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
