"""Drift that a real rollout shows reaches the receiver of docs/examples, which starts its command: once, and by nobody
without the key."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from controlplane.local.addresses import free_addresses
from controlplane.notify.payload import signature
from tests.e2e.harness import Site, rollout_text, service_text, wait_for
from tests.house.tree import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.demo, pytest.mark.timeout(120)]

EXAMPLE = ROOT / "docs/examples/hooks/retrain.py"
KEY = b"a key of this test"
USERS = [f"user-{n}" for n in range(200)]
# What a retraining would be: here it writes down what it was told.
COMMAND = "import os; print(os.environ['SERINUS_SERVICE'], os.environ['SERINUS_TEXT'], file=open('retrained', 'a'))"


@contextlib.asynccontextmanager
async def receiver(directory: Path) -> AsyncIterator[str]:
    """Its address."""
    (address,) = free_addresses(1)
    (directory / "hook.key").write_bytes(KEY)
    argv = [str(EXAMPLE), "--key-file", "hook.key", "--listen", address, "--", sys.executable, "-c", COMMAND]
    with (directory / "receiver.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, *argv, cwd=directory, stdout=log, stderr=log)
    try:
        yield f"http://{address}/"
    finally:
        process.terminate()
        await process.wait()


async def posted(url: str, notice: dict[str, str], *, key: bytes = KEY, at_s: float = 0.0) -> int:
    """The answer's status."""
    body = json.dumps({"rollout": "r", "service": "s", "candidate": "c", "text": "t", **notice}).encode()
    headers = {"x-serinus-signature": signature(key, body, now_s=round(at_s or time.time()))}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


def test_drift_starts_a_retraining_once(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            receiver(tmp_path) as url,
            await Site.start(
                tmp_path,
                lambda versions: [
                    service_text("chat", versions, host="chat.test", protocol="openai", observe_body=True)
                ],
            ) as site,
        ):
            secrets = tmp_path / "state/secrets"
            secrets.mkdir(exist_ok=True)
            (secrets / "hook.key").write_bytes(KEY)
            # As long as before, and in another language.
            site.v2.words = ("Серые ", "птицы ", "поют ", "в ", "нашей ", "шахте.")
            notify = f'  notify: [{{webhook: "{url}", key_file: hook.key, on: [drift]}}]\n'
            async with site.client.load(USERS, rate=40):
                await site.admin.apply(rollout_text("chat-v2", "chat") + notify)
                await wait_for((tmp_path / "retrained").exists, timeout_s=60, what="the command has run")
            told = (tmp_path / "retrained").read_text()
            assert told.startswith("chat script: the versions answer alike requests differently (the candidate has ")
            await asyncio.sleep(3)
            assert (tmp_path / "retrained").read_text() == told, "once"

    runner.run(asyncio.wait_for(story(), 110))


def test_the_receiver_takes_nothing_from_others_and_each_notice_once(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def story() -> None:
        async with receiver(tmp_path) as url:

            async def listens() -> bool:
                with contextlib.suppress(aiohttp.ClientConnectorError):
                    return await posted(url, {"event": "promoted", "id": "0"}) == 202
                return False

            await wait_for(listens, timeout_s=30, what="the receiver listens")
            drift = {"event": "drift", "id": "1"}
            assert await posted(url, drift, key=b"another key") == 403
            assert await posted(url, drift, at_s=time.time() - 600) == 403
            assert not (tmp_path / "retrained").exists()
            assert [await posted(url, drift) for _ in range(3)] == [202, 202, 202]
            await wait_for((tmp_path / "retrained").exists, timeout_s=20, what="the command has run")
            await asyncio.sleep(0.5)
            assert (tmp_path / "retrained").read_text() == "s t\n"

    runner.run(asyncio.wait_for(story(), 60))
