"""Real models with real faults, all of which answer 200: each is rolled back by the signal that shows it.

The `openai` SDK, real Envoy, `llama-server` with SmolLM2-135M; one good version stays, the other is changed.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.local.demo.llama import WRONG_TEMPLATE
from controlplane.local.demo.prompts import chat_request
from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack
from serinus.v1 import admin_pb2
from tests.e2e.harness import Admin, rollout_text, service_text, wait_for
from tests.llm import models
from tests.llm.chat import CLIENTS, Users
from tests.llm.quantise import F32, Q2_K

pytestmark = pytest.mark.llm

CANDIDATE_REQUESTS_MAX = 200
EDGES_AFTER = 210  # answers of the baseline: 200, and those of slots that are not closed yet
QUALITY = ("repetition", "mixed_script", "control_tokens", "invalid_json", "invalid_tool_call")
GUARDRAILS = ", ".join(
    [
        "{metric: errors, margin: 5pp}",
        "{metric: finish_reason, of: length, margin: 20pp}",
        *(f"{{metric: {name}, margin: 10pp}}" for name in QUALITY),
    ]
)
PACE = f"{GUARDRAILS}, {{metric: time_per_output_token, margin: 10%}}"
LONG = {"messages": [{"role": "user", "content": "Tell me about the sea."}], "max_tokens": 8}
CAPITAL = {
    "type": "json_schema",
    "json_schema": {
        "name": "capital",
        "schema": {
            "type": "object",
            "properties": {"capital": {"type": "string", "maxLength": 12}},
            "required": ["capital"],
            "additionalProperties": False,
        },
    },
}


class World:
    """Serinus on this machine, and one good version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = models.Models(folder)

    async def start(self) -> None:
        self.stack = Stack(StackSettings.ephemeral(self.folder / "state"), drain_timeout_ms=2_000)
        await self.stack.start()
        self.admin = Admin(self.stack.settings.admin)
        self.good = await self.models.start("good")

    async def stop(self) -> None:
        await self.admin.close()
        await self.stack.stop()
        await self.models.close()

    async def apply(
        self, name: str, candidate: str, guardrails: str = GUARDRAILS, *, baseline: str = "", more: str = ""
    ) -> None:
        """`more`: lines of the plan."""
        versions = {"v1": baseline or self.good, "v2": candidate}
        service = service_text(
            name, versions, host=f"{name}.test", sticky="request", protocol="openai", observe_body=True
        )
        rollout = rollout_text(f"{name}-v2", name, steps=("50%", "100%"), follow_up="5s", guardrails=f"[{guardrails}]")
        await self.admin.apply(service.replace("{body: true}", "{body: true, requests: true}"), rollout + more)

    def users(self, name: str, more: Mapping[str, Any] | None = None, *, clients: int = CLIENTS) -> Users:
        def ask(number: int) -> Mapping[str, Any]:
            return {**chat_request("m", number), **(more or {})}

        return Users(self.stack.settings.listen, f"{name}.test", ask, clients=clients)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as each:
        yield each


@pytest.fixture(scope="module")
def world(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    models.require_models()
    each = World(tmp_path_factory.mktemp("world"))
    runner.run(each.start())
    yield each
    runner.run(each.stop())


def run(runner: asyncio.Runner, story: Coroutine[Any, Any, None]) -> None:
    runner.run(asyncio.wait_for(story, 170))


async def rolled_back(
    world: World, name: str, users: Users, *, within: int = CANDIDATE_REQUESTS_MAX
) -> admin_pb2.RolloutView:
    async def ended() -> admin_pb2.RolloutView | None:
        view = await world.admin.rollout(f"{name}-v2")
        return view if view.terminal else None

    try:
        view = await wait_for(ended, timeout_s=150, what=f"a rollback of {name}")
    except AssertionError as error:
        told = await world.admin.rollout(f"{name}-v2")
        raise AssertionError(f"{error}; {told.message}; {users.seen}; {told.metrics}") from error
    assert view is not None
    assert view.phase == "rolled_back", view.message
    assert users.seen.requests("v2") <= within, users.seen
    assert users.seen.failed["v1"] == 0, users.seen.words
    print(f"{name}: {users.seen.requests('v2')} requests of the candidate; {view.message}")
    return view


@pytest.mark.parametrize(
    ("name", "flags", "signals"),
    [
        ("template", WRONG_TEMPLATE, ("finish_reason:length",)),
        ("rope", models.ROPE, ("errors",)),  # nine answers of ten are empty
        ("hot", models.HOT, ("finish_reason:length", "errors")),
    ],
)
def test_a_model_that_was_started_wrongly_is_rolled_back(
    runner: asyncio.Runner, world: World, name: str, flags: tuple[str, ...], signals: tuple[str, ...]
) -> None:
    async def story() -> None:
        await world.apply(name, await world.models.start(name, *flags))
        async with world.users(name) as users:
            view = await rolled_back(world, name, users)
        await world.models.end(name)
        assert any(f"{signal}: " in view.message for signal in signals), view.message

    run(runner, story())


def test_a_base_model_in_place_of_the_instruct_one_is_rolled_back(runner: asyncio.Runner, world: World) -> None:
    async def story() -> None:
        address = await world.models.start("gemma", model=models.gemma(world.folder))
        await world.apply("gemma", address)
        async with world.users("gemma") as users:
            view = await rolled_back(world, "gemma", users)
        await world.models.end("gemma")
        blamed = {row.metric for row in view.metrics if row.verdict == "worse"}
        assert blamed & {"control_tokens", "repetition", "finish_reason:length"}, view.message

    run(runner, story())


def test_a_server_that_forgets_the_format_that_was_asked_for_is_rolled_back(
    runner: asyncio.Runner, world: World
) -> None:
    """The answers are right, but for their form."""

    async def story() -> None:
        await world.apply("form", world.good, baseline=await world.models.start("strict", keeps_format=True))
        async with world.users("form", {"response_format": CAPITAL, "max_tokens": 24}) as users:
            view = await rolled_back(world, "form", users)
        await world.models.end("strict")
        assert "invalid_json: " in view.message

    run(runner, story())


def test_a_server_whose_streams_stop_in_the_middle_is_rolled_back(runner: asyncio.Runner, world: World) -> None:
    async def story() -> None:
        await world.apply("cut", await world.models.cut(world.good))
        async with world.users("cut") as users:
            view = await rolled_back(world, "cut", users)
        assert "errors: " in view.message

    run(runner, story())


def test_a_server_that_is_killed_in_the_middle_of_its_streams_has_resets_and_nothing_else(
    runner: asyncio.Runner, world: World
) -> None:
    """Its clients had status 200 and some of the answer."""

    async def resets() -> float:
        url = f"http://{world.stack.settings.sidecar_http}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            families = list(text_string_to_metric_families(await answer.text()))
        samples = [sample for family in families for sample in family.samples]
        ended = [one for one in samples if one.name == "serinus_outcomes_total" and one.labels["service"] == "dying"]
        # The users of before may have left in the middle of an answer.
        assert {one.labels["error_class"] for one in ended} <= {"", "client_aborted", "upstream_reset"}, ended
        return sum(one.value for one in ended if one.labels["error_class"] == "upstream_reset")

    async def story() -> None:
        await world.apply("dying", await world.models.start("dying"))
        async with world.users("dying") as first:
            await wait_for(lambda: first.seen.answered["v2"], timeout_s=60, what="the candidate has users")
        long = {**LONG, "max_tokens": 120, "extra_body": {"ignore_eos": True}}
        async with world.users("dying", long, clients=0) as users:
            asking = [asyncio.create_task(users.one(number)) for number in range(8)]
            await wait_for(lambda: users.begun["v2"] and users.begun["v1"], timeout_s=60, what="streams of both run")
            await world.models.kill("dying")
            await asyncio.gather(*asking)
        assert users.seen.failed["v2"] >= 1, users.seen
        assert users.seen.failed["v1"] == 0, users.seen
        failed = users.seen.failed.total()
        await wait_for(lambda: counted(failed), timeout_s=30, what=f"{failed} resets are counted")

    async def counted(failed: int) -> bool:
        return await resets() == failed

    run(runner, story())


def test_the_same_model_in_wider_numbers_is_slower_a_token_and_nothing_else(
    runner: asyncio.Runner, world: World
) -> None:
    async def story() -> None:
        model = await asyncio.to_thread(models.requantised, world.folder, F32)
        # Edges come from 200 answers of the baseline, before the candidate gets any. One at a time: two cores are few.
        more = '  approvals: {before: ["50%"]}\n'
        await world.apply("wide", await world.models.start("wide", model=model), PACE, more=more)
        async with world.users("wide", LONG, clients=1) as users:
            await wait_for(lambda: users.seen.answered["v1"] > EDGES_AFTER, timeout_s=150, what="edges")
            await world.admin.approve("wide-v2", 5_000)
            # How much slower it is depends on the machine, and so does how soon that shows.
            view = await rolled_back(world, "wide", users, within=2 * CANDIDATE_REQUESTS_MAX)
        await world.models.end("wide")
        assert "tpot: " in view.message, view.message
        assert [row.metric for row in view.metrics if row.verdict == "worse"] == ["tpot"]

    run(runner, story())


def test_twenty_answers_do_not_tell_a_coarser_model_from_a_good_one(runner: asyncio.Runner, world: World) -> None:
    """Q2_K is worse, and twenty answers of each do not show it: that is no pass."""

    async def judged() -> bool:
        view = await world.admin.rollout("coarse-v2")
        return any(row.metric == "errors" and row.candidate_requests >= 20 for row in view.metrics)

    async def story() -> None:
        model = await asyncio.to_thread(models.requantised, world.folder, Q2_K)
        await world.apply("coarse", await world.models.start("coarse", model=model), GUARDRAILS)
        async with world.users("coarse"):
            await wait_for(judged, timeout_s=90, what="twenty answers of the candidate were judged")
        view = await world.admin.rollout("coarse-v2")
        await world.models.end("coarse")
        assert (view.phase, view.weight_bp) == ("observing", 5_000), view.message
        verdicts = {row.verdict for row in view.metrics}
        assert "not_enough_evidence" in verdicts, view.metrics
        assert "worse" not in verdicts, view.metrics
        await world.admin.abort("coarse-v2")

    run(runner, story())
