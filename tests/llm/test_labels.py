"""Two real models behind MLServer that differ in nothing but how often they are right: found by labels that come later.

KServe's Open Inference Protocol v2 over REST, real Envoy; some time after an answer its user tells whether it was right.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import grpc
import pytest

from controlplane.local.probe import Probe
from controlplane.local.processes import Child, ChildSpec
from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack
from serinus.contract.headers import REQUEST_ID, VERSION
from serinus.v1 import admin_pb2
from tests.e2e.harness import Admin, rollout_text, service_text, wait_for
from tests.ports import free_ports
from tests.skips import skip

pytestmark = pytest.mark.llm

HOST = "digits.test"
RATE = 25.0  # requests a second; an answer takes 2 ms
LABEL_LATER_S = 2.0
GUARDRAILS = "[{metric: errors, margin: 5pp}, {metric: latency, margin: 100%}, {metric: score, margin: 5pp, wait: 4s}]"
PORTS_EACH = 3  # HTTP, gRPC, metrics


class Digits:
    """The two servers, Serinus before them, and users who ask and tell later."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[Child] = []
        self.right: dict[str, Counter[bool]] = {"v1": Counter(), "v2": Counter()}
        self.untold = 0  # answers whose label was not taken

    async def start(self, python: Path) -> None:
        first = [free_ports(PORTS_EACH) for _ in self.right]
        made = [str(python), str(Path(__file__).with_name("digits.py")), str(self._folder), *map(str, first)]
        await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True, timeout=120)
        self.questions: list[tuple[list[float], int]] = json.loads((self._folder / "questions.json").read_text())
        addresses = {version: f"127.0.0.1:{port}" for version, port in zip(self.right, first, strict=True)}
        probe = Probe()
        try:
            for version in addresses:
                command = (str(python.with_name("mlserver")), "start", str(self._folder / version))
                server = Child(ChildSpec(version, command, self._folder / f"{version}.log", grace_ms=5_000))
                self._servers.append(server)
                await server.start()
            for server, address in zip(self._servers, addresses.values(), strict=True):
                await probe.until_ready(server, address, "/v2/health/ready", timeout_ms=60_000)
        finally:
            await probe.close()
        self.stack = Stack(StackSettings.ephemeral(self._folder / "state"), drain_timeout_ms=2_000)
        await self.stack.start()
        self.admin = Admin(self.stack.settings.admin)
        service = service_text("digits", addresses, host=HOST, sticky="request", protocol="kserve-v2")
        rollout = rollout_text("digits-v2", "digits", steps=("50%", "100%"), guardrails=GUARDRAILS)
        told = service.replace("/health", "/v2/health/ready").rstrip() + "\n  feedback: true\n"
        await self.admin.apply(told, rollout)
        async with aiohttp.ClientSession() as session:
            await wait_for(lambda: self._is_served(session), timeout_s=30, what="the proxy has the service")

    async def _is_served(self, session: aiohttp.ClientSession) -> bool:
        url = f"http://{self.stack.settings.listen}/v2/health/ready"
        async with session.get(url, headers={"host": HOST}) as answer:
            return answer.status == 200 and await self._is_told(answer.headers.get(REQUEST_ID, ""), 1.0)

    async def _is_told(self, request_id: str, score: float) -> bool:
        """Not of a request that passed untagged: the sidecar has no policy yet, or was too late. Its id is not ours."""
        try:
            await self.admin.feedback(request_id, score=score)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
                raise
            return False
        return True

    async def stop(self) -> None:
        if hasattr(self, "admin"):
            await self.admin.close()
            await self.stack.stop()
        for server in self._servers:
            await server.stop()

    @contextlib.asynccontextmanager
    async def users(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            asking = group.create_task(self._ask(session, group))
            yield
            asking.cancel()

    async def _ask(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        for number in range(10_000):
            group.create_task(self._one(session, *self.questions[number % len(self.questions)]))
            await asyncio.sleep(1 / RATE)

    async def _one(self, session: aiohttp.ClientSession, pixels: list[float], digit: int) -> None:
        body = {"inputs": [{"name": "predict", "shape": [1, 64], "datatype": "FP32", "data": pixels}]}
        url = f"http://{self.stack.settings.listen}/v2/models/digits/infer"
        async with session.post(url, json=body, headers={"host": HOST}) as answer:
            said = await answer.json()
        version, is_right = answer.headers[VERSION], said["outputs"][0]["data"] == [digit]
        self.right[version][is_right] += 1
        await asyncio.sleep(LABEL_LATER_S)
        self.untold += not await self._is_told(answer.headers[REQUEST_ID], float(is_right))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as each:
        yield each


@pytest.fixture
def digits(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Digits]:
    python = Path(sys.prefix) / "mlserver" / "bin" / "python"
    if not python.is_file():
        skip("MLServer is not installed", next_step="make test-llm")
    each = Digits(tmp_path)
    try:
        runner.run(each.start(python))
        yield each
    finally:
        runner.run(each.stop())


def test_a_model_that_is_less_often_right_is_rolled_back_by_labels_that_come_later(
    runner: asyncio.Runner, digits: Digits
) -> None:
    async def story() -> None:
        async def ended() -> admin_pb2.RolloutView | None:
            view = await digits.admin.rollout("digits-v2")
            return view if view.terminal else None

        async with digits.users():
            view = await wait_for(ended, timeout_s=90, what="a rollback")
        assert view is not None
        assert view.phase == "rolled_back", view.message
        print(f"{view.message}; right: {digits.right}")
        assert "score: mean score: baseline " in view.message, view.message
        assert {row.metric for row in view.metrics if row.verdict == "worse"} == {"score"}
        shares = {version: right[True] / right.total() for version, right in digits.right.items()}
        assert shares["v1"] - shares["v2"] > 0.1, digits.right
        assert digits.right["v2"].total() <= 400
        assert digits.untold <= 0.02 * sum(right.total() for right in digits.right.values())

    runner.run(asyncio.wait_for(story(), 110))
