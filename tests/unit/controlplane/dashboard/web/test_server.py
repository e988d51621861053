"""The pages of a whole control plane in this process, over its real port."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controlplane.cli.certs import app as certs_app
from controlplane.dashboard.web.access import TRIES_MAX
from controlplane.rollout.events import Pause
from controlplane.security.access import Token, mint, render
from serinus.v1 import admin_pb2
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.unit.controlplane.admin.access.test_server import party
from tests.unit.controlplane.manifest.samples import SERVICE

ROLLOUT = "/rollouts/chat-v2"


class Visitor:
    """A browser without a window: it keeps cookies, and shows what it is told to show."""

    def __init__(self, world: Plane, session: aiohttp.ClientSession) -> None:
        self.world, self.session = world, session
        self.url = f"http://{world.config.http}"
        self.csrf = ""

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.session.get(self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def page(self, path: str) -> str:
        status, text = await self.get(path)
        assert status == 200, text
        self.csrf = "".join(re.findall(r'name="csrf" content="([^"]*)"', text))
        return text

    async def press(self, verb: str, *, path: str = ROLLOUT, **more: Any) -> tuple[int, str]:
        headers = {"X-Serinus-Csrf": self.csrf, "Origin": self.url} | more.pop("headers", {})
        body = {"reason": "a test"} | more
        async with self.session.post(f"{self.url}{path}/{verb}", json=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def log_in(self, token: str, to: str = "/") -> tuple[int, str]:
        form = {"token": token, "to": to}
        async with self.session.post(self.url + "/login", data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", await answer.text())


@asynccontextmanager
async def visited(config: Any) -> AsyncIterator[Visitor]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with plane(config) as world, aiohttp.ClientSession(cookie_jar=jar) as session:
        files = [("chat.yaml", SERVICE + "---\n" + PLAN)]
        await world.control.engine.apply(files, dry_run=False, actor="test")
        yield Visitor(world, session)


def told(config: Any, tell: Callable[[Visitor], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with visited(config) as visitor:
            await tell(visitor)

    asyncio.run(run())


def tokens(file: Path, *roles: str) -> list[str]:
    made = [mint(f"ann-{role}", role, secret=secrets.token_bytes(32), expires_s=10**10) for role in roles]
    write(file, [token for _, token in made])
    return [text for text, _ in made]


def write(file: Path, kept: list[Token]) -> None:
    file.write_text(render(kept))
    file.chmod(0o600)


def test_every_page_answers_and_lets_nothing_in(tmp_path: Path) -> None:
    async def tell(visitor: Visitor) -> None:
        for path in ("/", ROLLOUT, "/services/chat", "/services/chat?headers=x-user-id:%20ann", "/login"):
            async with visitor.session.get(visitor.url + path) as answer:
                assert answer.status == 200, path
                assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "chat-v2" in await visitor.page("/")
        assert "Which version would this user get?" in await visitor.page("/services/chat")
        assert (await visitor.get("/rollouts/nope"))[0] == 404
        assert "<script>" not in (await visitor.get("/rollouts/%3Cscript%3E"))[1]
        assert (await visitor.get("/services/nope"))[0] == 404
        for path in ("/static/app.js", "/static/app.css", "/static/icon.svg", "/healthz", "/metrics"):
            assert (await visitor.get(path))[0] == 200, path

    told(settings(tmp_path), tell)


def test_a_user_is_told_the_version_and_a_bad_list_of_headers_its_form(tmp_path: Path) -> None:
    async def tell(visitor: Visitor) -> None:
        text = await visitor.page("/services/chat?headers=x-user-id:%20ann")
        assert re.search(r"<dt>Version</dt><dd><b>v[12]</b>", text)
        assert "write one a line" in await visitor.page("/services/chat?headers=nonsense")

    told(settings(tmp_path), tell)


def test_a_button_does_what_the_verb_does_and_the_record_says_who(tmp_path: Path) -> None:
    async def tell(visitor: Visitor) -> None:
        await visitor.page(ROLLOUT)
        assert await visitor.press("pause", name="Ann") == (200, "done")
        assert "paused" in await visitor.page(ROLLOUT)
        status, words = await visitor.press("pause")
        assert status == 409, words
        assert await visitor.press("abort", reason="it looks odd", name="Ann") == (200, "done")
        text = await visitor.page(ROLLOUT)
        assert "it looks odd" in text
        acts = await visitor.world.call("Audit", admin_pb2.AuditRequest())
        found = [(each.verb, each.actor, each.reason) for each in acts.entries]  # type: ignore[attr-defined]
        assert ("Abort", "Ann", "it looks odd") in found
        status, decisions = await visitor.get(f"{ROLLOUT}/decisions.json")
        assert status == 200
        assert json.loads(decisions)["decisions"][-1]["action"]

    told(settings(tmp_path), tell)


@pytest.mark.parametrize(
    ("verb", "more", "status", "words"),
    [
        ("skip", {"reason": ""}, 400, "needs a reason"),
        ("fly", {}, 400, "there is no action"),
        ("abort", {"headers": {"X-Serinus-Csrf": "guessed"}}, 403, "earlier session"),
        ("abort", {"headers": {"Origin": "http://evil.example"}}, 403, "another page"),
        ("abort", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "another page"),
        ("abort", {"headers": {"Host": "evil.example"}}, 403, "not called"),
        ("abort", {"path": "/rollouts/nope"}, 404, "nope"),
    ],
)
def test_what_may_not_be_changes_nothing_and_says_why(
    tmp_path: Path, verb: str, more: dict[str, Any], status: int, words: str
) -> None:
    async def tell(visitor: Visitor) -> None:
        await visitor.page(ROLLOUT)
        before = visitor.world.control.engine.world.rollout("chat-v2").revision
        found = await visitor.press(verb, **more)
        assert found[0] == status, found
        assert words in found[1]
        assert visitor.world.control.engine.world.rollout("chat-v2").revision == before

    told(settings(tmp_path), tell)


def test_a_page_elsewhere_that_calls_us_by_its_name_reads_nothing(tmp_path: Path) -> None:
    async def tell(visitor: Visitor) -> None:
        status, text = await visitor.get(ROLLOUT, Host="evil.example")
        assert status == 403
        assert "observing" not in text
        assert (await visitor.get("/events?page=home", Host="evil.example"))[0] == 403
        headers = {"Host": "evil.example", "Content-Type": "application/json"}
        for path in ("/api/v1/alerts", "/login"):
            async with visitor.session.post(visitor.url + path, data=b"{}", headers=headers) as answer:
                assert answer.status == 403, path

    told(settings(tmp_path), tell)


def test_with_tokens_people_log_in_and_do_what_their_role_may(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    viewer, operator = tokens(file, "viewer", "operator")

    async def tell(visitor: Visitor) -> None:
        for path in ("/", ROLLOUT, "/events?page=home", f"{ROLLOUT}/decisions.json"):
            assert (await visitor.get(path))[0] == 303, path
        assert (await visitor.press("abort"))[0] == 200, "led to the login page, and nothing was done"
        assert visitor.world.control.engine.world.rollout("chat-v2").is_terminal is False
        status, text = await visitor.log_in("srn_ann_wrong")
        assert (status, "not known here" in text) == (401, True)
        assert await visitor.log_in(viewer, ROLLOUT) == (303, ROLLOUT)
        text = await visitor.page(ROLLOUT)
        assert "ann-viewer (viewer)" in text
        assert "data-verb" not in text
        assert (await visitor.press("abort"))[0] == 403
        assert await visitor.log_in(operator, "//evil.example") == (303, "/")
        assert "data-verb" in await visitor.page(ROLLOUT)
        assert await visitor.press("pause", name="somebody else") == (200, "done")
        assert "ann-operator" in await visitor.page(ROLLOUT)
        assert "somebody else" not in await visitor.page(ROLLOUT)
        write(file, [])
        assert (await visitor.get(ROLLOUT))[0] == 303

    told(settings(tmp_path / "state", tokens=file), tell)


def test_who_logs_out_is_out_and_guesses_are_slowed_down(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    (operator,) = tokens(file, "operator")

    async def tell(visitor: Visitor) -> None:
        await visitor.log_in(operator)
        await visitor.page("/")
        form = {"csrf": visitor.csrf}
        async with visitor.session.post(visitor.url + "/logout", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        assert (await visitor.get("/"))[0] == 303
        for _ in range(TRIES_MAX):
            assert (await visitor.log_in("srn_x_y"))[0] == 401
        assert (await visitor.log_in(operator))[0] == 429

    told(settings(tmp_path / "state", tokens=file), tell)


async def events(visitor: Visitor, path: str) -> AsyncIterator[dict[str, str]]:
    timeout = aiohttp.ClientTimeout(total=30)
    async with visitor.session.get(visitor.url + path, timeout=timeout) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))


@pytest.mark.parametrize(
    ("path", "part"), [("/events?page=rollout&name=chat-v2", "head"), ("/events?page=home", "running")]
)
def test_an_open_page_hears_of_a_move_within_a_second(tmp_path: Path, path: str, part: str) -> None:
    async def tell(visitor: Visitor) -> None:
        await visitor.page(ROLLOUT)
        stream = events(visitor, path)
        first = await anext(stream)
        assert "paused" not in first[part]
        began = time.monotonic()
        await visitor.press("pause")
        async for sections in stream:
            if "paused" in sections.get(part, ""):
                break
        print(f"heard after {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < 10  # a second where nothing else runs: docs/dashboard.md
        await stream.aclose()  # type: ignore[attr-defined]

    told(settings(tmp_path), tell)


def test_an_open_page_of_somebody_whose_token_was_removed_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    (viewer,) = tokens(file, "viewer")

    async def tell(visitor: Visitor) -> None:
        await visitor.log_in(viewer)
        async with visitor.session.get(visitor.url + "/events?page=rollout&name=chat-v2") as answer:
            lines = answer.content
            assert (await lines.readline()) == b"event: sections\n"
            write(file, [])
            engine = visitor.world.control.engine
            await engine.command("chat-v2", Pause(engine.now_ms(), "test", ""))
            text = await asyncio.wait_for(lines.read(), 30)
            assert b"logged out" in text

    told(settings(tmp_path / "state", tokens=file), tell)


def test_behind_certificates_alone_nobody_can_log_in_and_the_page_says_what_to_do(tmp_path: Path) -> None:
    """The port has no TLS, so no certificate is seen there."""
    certs_app(["init", "--dir", str(tmp_path / "certs")], standalone_mode=False)

    async def tell(visitor: Visitor) -> None:
        assert (await visitor.get(ROLLOUT))[0] == 303
        text = await visitor.page("/login")
        assert "Nobody can log in" in text
        assert "serinus access add" in text
        assert (await visitor.log_in("srn_x_y"))[0] == 401

    told(settings(tmp_path / "state", tls=party(tmp_path / "certs/controlplane")), tell)
