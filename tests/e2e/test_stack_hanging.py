"""A version that takes requests and does not answer them, on the real three processes: it is rolled back while they
still hang. When both versions hang, nothing says which of them is at fault, and nothing is rolled back for it."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.harness import Site, rollout_text, service_text, wait_for

pytestmark = pytest.mark.e2e

USERS = [f"user-{n}" for n in range(600)]
RATE = 60.0
# Four times the follow-up: no end of a hanging request can be evidence.
HANGS_MS = 4_000.0


def services(versions: Mapping[str, str]) -> list[str]:
    return [service_text(name, versions, host=f"{name}.test") for name in ("one", "both")]


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state_dir: Path = tmp_path_factory.mktemp("site")
    each = runner.run(Site.start(state_dir, services))
    yield each
    runner.run(each.stop())


def test_a_version_that_hangs_is_rolled_back_while_its_requests_hang(runner: asyncio.Runner, site: Site) -> None:
    async def story() -> None:
        site.v2.delay_ms = HANGS_MS
        async with site.client.load(USERS, rate=RATE, host="one.test") as load:
            await site.admin.apply(rollout_text("one-v2", "one"))
            await site.admin.until_observing("one-v2", weight_bp=2500)

            async def is_over() -> bool:
                return (await site.admin.rollout("one-v2")).terminal

            await wait_for(is_over, timeout_s=30, what="the rollout has ended")
            view = await site.admin.rollout("one-v2")
            late = (await site.sidecar_metrics())["serinus_late_outcomes_total"]
            print(f"{view.phase}: {view.message}; {late:g} outcomes were late, {site.v2.requests} requests met v2")
            assert view.phase == "rolled_back"
            assert "errors" in view.message
        assert load.failed == []

    runner.run(asyncio.wait_for(story(), 90))


def test_when_both_versions_hang_neither_is_at_fault(runner: asyncio.Runner, site: Site) -> None:
    async def story() -> None:
        site.v1.delay_ms = site.v2.delay_ms = HANGS_MS
        async with site.client.load(USERS, rate=RATE, host="both.test"):
            await site.admin.apply(rollout_text("both-v2", "both"))
            await site.admin.until_observing("both-v2", weight_bp=2500)
            await asyncio.sleep(12)
            view = await site.admin.rollout("both-v2")
            print(f"{view.phase}: {view.message}")
            assert view.phase == "observing"
        await site.admin.abort("both-v2")

    runner.run(asyncio.wait_for(story(), 90))
