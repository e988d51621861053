"""What came of a request, told through the gateway by the id in its answer: the real three processes, real Envoy."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus.v1 import admin_pb2
from tests.e2e.harness import CALL_TIMEOUT_S, Site, rollout_text, service_text, wait_for

pytestmark = pytest.mark.e2e

TOKEN = "a-token-of-the-shop-that-is-long-enough"
USERS = [f"user-{n}" for n in range(40)]
SCORE = "[{metric: errors}, {metric: score, margin: 5pp, wait: 1m}]"


def services(versions: Mapping[str, str]) -> list[str]:
    return [service_text("other", versions, host="other.test")]


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state_dir: Path = tmp_path_factory.mktemp("site")
    each = runner.run(Site.start(state_dir, services))
    yield each
    runner.run(each.stop())


async def counted(site: Site) -> dict[tuple[str, str], float]:
    """(version, result) of what was said of service chat, by the control plane."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{site.stack.settings.http}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
        rows = [sample for family in families for sample in family.samples]
    return {
        (row.labels["version"], row.labels["result"]): row.value for row in rows if row.name == "serinus_feedback_total"
    }


class Shop:
    """A client of service chat that asks, and tells what came of it."""

    def __init__(self, gateway: str, session: aiohttp.ClientSession) -> None:
        self._gateway = gateway
        self._session = session

    async def ask(self, user: str) -> tuple[str, str]:
        """Version and id of an answer. On a machine with more to do than it can a request may go untagged: again then."""
        for _ in range(20):
            url, headers = f"{self._gateway}/v1/chat/completions", {"x-user-id": user}
            async with self._session.post(url, headers=headers, json={}) as answer:
                version, request_id = answer.headers["x-serinus-version"], answer.headers["x-serinus-request-id"]
            if not request_id.startswith("."):
                return version, request_id
        raise AssertionError("every request went untagged")

    async def tell(self, request_id: str, thumb: str, token: str = TOKEN) -> int:
        """The status. 503 is the same busy machine."""
        status = 503
        for _ in range(20):
            url, headers = f"{self._gateway}/serinus/feedback", {"authorization": f"Bearer {token}"}
            async with self._session.post(
                url, json={"request_id": request_id, "thumb": thumb}, headers=headers
            ) as answer:
                status = answer.status
            if status != 503:
                break
        return status


def test_feedback_by_the_id_of_an_answer_counts_for_the_version_that_gave_it(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        folder = site.stack.run_dir.run / "policy"
        folder.mkdir(exist_ok=True)
        (folder / "chat.feedback").write_text(TOKEN)
        versions = {"v1": site.v1.address, "v2": site.v2.address}
        service = service_text("chat", versions, host="chat.test") + "  feedback: {token_file: chat.feedback}\n"
        await site.admin.apply(service, rollout_text("chat-v2", "chat", guardrails=SCORE))
        async with aiohttp.ClientSession(headers={"host": "chat.test"}) as session:
            shop = Shop(f"http://{site.stack.settings.listen}", session)
            async with site.client.load(USERS, rate=30.0, host="chat.test"):
                await site.admin.until_observing("chat-v2", weight_bp=2500)
            said: dict[str, int] = {"v1": 0, "v2": 0}
            for user in USERS:
                version, request_id = await shop.ask(user)
                assert await shop.tell(request_id, "up" if version == "v1" else "down") == 202
                said[version] += 1
            forged = request_id.removesuffix(version) + ("v1" if version == "v2" else "v2")
            assert await shop.tell(forged, "up") == 202, "only the control plane knows"
            assert await shop.tell(request_id, "up", "a-stranger") == 401
        assert min(said.values()) > 0, "both versions have answered"

        async def all_came() -> bool:
            counts = await counted(site)
            evidence = {version: counts.get((version, "evidence"), 0) for version in said}
            return evidence == said and counts.get(("other", "forged"), 0) > 0

        await wait_for(all_came, timeout_s=20, what=f"the counts {said}")
        request = admin_pb2.FeedbackRequest(request_id=request_id, score=0.5)
        await site.admin._stub.Feedback(request, timeout=CALL_TIMEOUT_S)
        assert (await counted(site))[version, "repeated"] > 0
        explained = await site.admin.explain("chat-v2")
        assert any(f"{len(USERS)} scores taken" in sentence for sentence in explained.sentences)
        assert site.v1.owned_headers | site.v2.owned_headers == set()

    runner.run(asyncio.wait_for(story(), 90))
