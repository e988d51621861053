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


def test_feedback_by_the_id_of_an_answer_counts_for_the_version_that_gave_it(
    runner: asyncio.Runner, site: Site
) -> None:
    async def story() -> None:
        folder = site.stack.run_dir.run / "policy"
        folder.mkdir(exist_ok=True)
        (folder / "chat.feedback").write_text(TOKEN)
        versions = {"v1": site.v1.address, "v2": site.v2.address}
        service = service_text("chat", versions, host="chat.test") + "  feedback: {token_file: chat.feedback}\n"
        gateway = f"http://{site.stack.settings.listen}"
        await site.admin.apply(service, rollout_text("chat-v2", "chat", guardrails=SCORE))
        async with aiohttp.ClientSession(headers={"host": "chat.test"}) as session:
            async with site.client.load(USERS, rate=30.0, host="chat.test"):
                await site.admin.until_observing("chat-v2", weight_bp=2500)
            said: dict[str, int] = {"v1": 0, "v2": 0}
            for user in USERS:
                async with session.post(f"{gateway}/v1/chat/completions", headers={"x-user-id": user}, json={}) as one:
                    version, request_id = one.headers["x-serinus-version"], one.headers["x-serinus-request-id"]
                body = {"request_id": request_id, "thumb": "up" if version == "v1" else "down"}
                headers = {"authorization": f"Bearer {TOKEN}"}
                async with session.post(f"{gateway}/serinus/feedback", json=body, headers=headers) as one:
                    assert (one.status, await one.json()) == (202, {"accepted": True})
                said[version] += 1
            body["request_id"] = request_id.removesuffix(version) + ("v1" if version == "v2" else "v2")
            for token, status in ((TOKEN, 202), ("a-stranger", 401)):
                headers = {"authorization": f"Bearer {token}"}
                async with session.post(f"{gateway}/serinus/feedback", json=body, headers=headers) as one:
                    assert one.status == status
        assert min(said.values()) > 0, "both versions have answered"
        expected = {(version, "evidence"): count for version, count in said.items()} | {("other", "forged"): 1}

        async def all_came() -> bool:
            return await counted(site) == expected

        await wait_for(all_came, timeout_s=20, what=f"the counts {expected}")
        request = admin_pb2.FeedbackRequest(request_id=request_id, score=0.5)
        await site.admin._stub.Feedback(request, timeout=CALL_TIMEOUT_S)
        assert (await counted(site))[version, "repeated"] == 1
        explained = await site.admin.explain("chat-v2")
        assert any(f"{len(USERS)} scores taken" in sentence for sentence in explained.sentences)
        assert site.v1.owned_headers | site.v2.owned_headers == set()

    runner.run(asyncio.wait_for(story(), 90))
