"""Alerts out and in: a whole control plane, a real Alertmanager, a real mail server, and receivers of all kinds."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope

from controlplane.notify.payload import signature
from controlplane.rollout.model import Observing, RolledBack
from controlplane.rollout.transition import Action
from serinus.v1 import admin_pb2
from tests.e2e import alertmanager, prometheus
from tests.e2e.fleet import FakeSidecar, running
from tests.e2e.harness import wait_for
from tests.e2e.plane import PLAN, Plane, plane, settings
from tests.e2e.proxy import FakeProxy
from tests.unit.controlplane.manifest.samples import SERVICE

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.demo, pytest.mark.timeout(120)]

KEY = b"a key of this test"


class Receivers:
    """One server, by path: `/hook` and `/slack` take; `/slow` never answers, `/away` redirects, `/shaky` fails twice."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[dict[str, Any]]] = {}
        self.signatures: list[tuple[str, bytes]] = []
        self.mails: list[Envelope] = []
        self.url = ""
        self.is_over = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        raw, name = await request.read(), request.path.strip("/")
        seen = self.bodies.setdefault(name, [])
        seen.append(json.loads(raw))
        if name == "hook":
            self.signatures.append((request.headers["x-serinus-signature"], raw))
        if name == "slow":
            await self.is_over.wait()
        if name == "away":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        return web.Response(status=503 if name == "shaky" and len(seen) <= 2 else 200)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.mails.append(envelope)
        return "250 taken"

    def events(self, name: str) -> list[str]:
        return [body["event"] for body in self.bodies.get(name, [])]


@contextlib.asynccontextmanager
async def receivers() -> AsyncIterator[tuple[Receivers, int]]:
    """And the port of their mail server."""
    found = Receivers()
    app = web.Application()
    app.router.add_post("/{name}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    loop = asyncio.get_running_loop()
    mail = await loop.create_server(lambda: SMTP(found, hostname="mail.test"), "127.0.0.1", 0)
    try:
        yield found, mail.sockets[0].getsockname()[1]
    finally:
        found.is_over.set()
        mail.close()
        await runner.cleanup()


def notify(found: Receivers, mail_port: int, am: str) -> str:
    everything = "on: [started, step, hold, approval, promoted, rolled_back, aborted]"
    return f"""\
  notify:
    - {{webhook: '{found.url}/slow', {everything}}}
    - {{webhook: '{found.url}/away', on: [rolled_back]}}
    - {{webhook: '{found.url}/shaky', on: [rolled_back]}}
    - {{webhook: '{found.url}/hook', key_file: hook.key, {everything}}}
    - {{slack: {{url_file: slack.url}}}}
    - {{email: {{to: [ops@example.com], from: serinus@example.com, server: '127.0.0.1:{mail_port}'}}}}
    - {{alertmanager: '{am}'}}
"""


def secrets_in(directory: Path, found: Receivers) -> Path:
    directory.mkdir()
    (directory / "hook.key").write_bytes(KEY + b"\n")
    (directory / "slack.url").write_text(f"{found.url}/slack\n")
    return directory


async def until(condition: Any, what: str, timeout_s: float = 20.0) -> None:
    async def is_so() -> bool:
        return bool(condition())

    await wait_for(is_so, timeout_s=timeout_s, what=what)


def test_a_rollback_reaches_everyone_who_is_to_hear_of_it_and_waits_for_nobody(tmp_path: Path) -> None:
    program = alertmanager.binary()

    async def story() -> None:
        async with (
            receivers() as (found, mail_port),
            alertmanager.running(program, tmp_path, f"{found.url}/am") as am,
            plane(settings(tmp_path / "s", secrets_dir=secrets_in(tmp_path / "secrets", found))) as control,
        ):
            config = control.config
            broken = control.rows(bad=lambda version, index: version == "v2" and index % 2 == 0)
            async with running(FakeProxy(config.xds), FakeSidecar(config.xds, broken)):
                await control.apply(SERVICE + "---\n" + PLAN + notify(found, mail_port, am.url))
                await control.until(lambda: isinstance(control.phase(), RolledBack))
                await until(lambda: "rolled_back" in found.events("hook"), "the webhook hears of it")
                await until(lambda: len(found.bodies.get("shaky", [])) == 3, "the third try is taken")
                await until(lambda: len(found.mails) == len(found.bodies.get("slack", [])) == 2, "people hear of it")
                await until(lambda: "am" in found.bodies, "and those whom Alertmanager tells")
                assert await am.names() == {"SerinusRolledBack"}
                seen = await control.call("Get", admin_pb2.GetRequest(kind="rollout", name="chat-v2"))
                assert isinstance(seen, admin_pb2.GetResponse)
                assert any("/away answered 307" in finding for finding in seen.rollouts[0].findings)
            look(found, control)

    asyncio.run(story())


def look(found: Receivers, control: Plane) -> None:
    assert found.events("hook") == ["started", "step", "rolled_back"]
    for header, raw in found.signatures:
        assert header == signature(KEY, raw, now_s=int(header.partition(",")[0].removeprefix("t=")))
    told = found.bodies["hook"][-1]
    phase = control.phase()
    assert isinstance(phase, RolledBack)
    assert (told["text"], told["reason"], told["phase"]) == (phase.reason, "worse", "rolling_back")
    assert len({body["id"] for body in found.bodies["shaky"]}) == 1, "one notice under one id"
    assert len(found.bodies["away"]) == 1
    assert set(found.events("slow")) == {"started"}, "it still has to answer the first"
    assert "elsewhere" not in found.bodies, "no redirect is followed"
    assert found.bodies["slack"][-1]["text"].startswith("*chat-v2 is rolled back*\nerrors: candidate ")
    content = found.mails[-1].content
    assert isinstance(content, bytes)
    assert message_from_bytes(content)["Subject"] == "[serinus] chat-v2 is rolled back"
    (alert,) = found.bodies["am"][-1]["alerts"]
    assert (alert["status"], alert["labels"]["rollout"], alert["labels"]["severity"]) == ("firing", "chat-v2", "page")


RULE = """\
apiVersion: serinus/v1
kind: AlertRule
metadata: {name: chat-errors}
spec:
  service: chat
  when:
    all:
      - {metric: errors, of: baseline, above: 10%, window: 10s}
      - {metric: requests, above: 1, window: 10s}
      - {metric: weight, above: 0}
  for: 1s
  severity: page
  summary: users fail
  notify: [{webhook: 'HOOK'}]
"""


def test_an_alert_rule_tells_of_an_incident_that_is_not_the_candidates(tmp_path: Path) -> None:
    """By what reports say of both arms, which the judge finds alike; a rule moves no rollout."""

    async def story() -> None:
        async with receivers() as (found, _), plane(settings(tmp_path)) as control:
            config = control.config
            broken = control.rows(bad=lambda _, index: index % 5 == 0)
            slow = PLAN.replace("min_step: 1s", "min_step: 1h")
            async with running(FakeProxy(config.xds), FakeSidecar(config.xds, broken)):
                await control.apply(SERVICE + "---\n" + slow + "---\n" + RULE.replace("HOOK", f"{found.url}/rule"))
                await until(lambda: found.events("rule") == ["alert"], "the rule fires", 30.0)
            assert isinstance(control.phase(), Observing)
            (told,) = found.bodies["rule"]
            assert told["text"].startswith("users fail: errors of the baseline 0.")
            assert told["labels"] == {"rule": "chat-errors", "severity": "page"}

    asyncio.run(story())


LABELS = {"alertname": "CheckoutFails", "serinus_rollout": "chat-v2"}


async def holds(control: Plane, code: str) -> None:
    engine = control.control.engine
    await control.until(lambda: "chat-v2" in engine.last and engine.last["chat-v2"].decision.code == code)


def test_an_alert_of_a_real_alertmanager_holds_a_rollout_over_a_restart_until_it_is_resolved(tmp_path: Path) -> None:
    program = alertmanager.binary()

    async def story() -> None:
        config = settings(tmp_path / "s")

        @contextlib.asynccontextmanager
        async def whole() -> AsyncIterator[Plane]:
            async with (
                plane(config) as control,
                running(FakeProxy(config.xds), FakeSidecar(config.xds, control.rows())),
            ):
                yield control

        async with alertmanager.running(program, tmp_path, f"http://{config.http}/api/v1/alerts") as am:
            async with whole() as control:
                # What fires already when a rollout comes holds it too.
                await am.alert(LABELS, {"summary": "orders fail"}, fires=True)
                await control.until(lambda: bool(control.control.engine.alerts.incoming.firing))
                await control.apply(SERVICE + "---\n" + PLAN + "  alerts: {on_firing: rollback}\n")
                await holds(control, "external_alert")
                text = control.control.engine.last["chat-v2"].decision.text
                assert text.startswith("held by alert CheckoutFails (orders fail), firing for ")
            async with whole() as control:
                await holds(control, "external_alert")
                await am.alert(LABELS, {"summary": "orders fail"}, fires=False)
                await control.until(lambda: isinstance(control.phase(), Observing), timeout_s=30.0)

    asyncio.run(story())


def test_an_alert_that_a_step_sets_off_rolls_back_and_is_named(tmp_path: Path) -> None:
    program = alertmanager.binary()

    async def story() -> None:
        config = settings(tmp_path / "s")
        slow = PLAN.replace("min_step: 1s", "min_step: 1h") + "  alerts: {on_firing: rollback}\n"
        async with (
            alertmanager.running(program, tmp_path, f"http://{config.http}/api/v1/alerts") as am,
            plane(config) as control,
            running(FakeProxy(config.xds), FakeSidecar(config.xds, control.rows())),
        ):
            await control.apply(SERVICE + "---\n" + slow)
            await control.until(lambda: isinstance(control.phase(), Observing))
            about = {"alertname": "CheckoutFails", "serinus_service": "chat", "serinus_version": "v2"}
            await am.alert(about, {"summary": "orders fail"}, fires=True)
            await control.until(lambda: isinstance(control.phase(), RolledBack))
            phase = control.phase()
            assert isinstance(phase, RolledBack)
            assert phase.reason.startswith("rolled back by alert CheckoutFails (orders fail), firing for ")
            records = await control.control.engine.records("chat-v2")
            back = [record.code for record in records if record.action == Action.ROLLBACK]
            assert back == ["external_alert", "rolled_back"]

    asyncio.run(story())


def test_what_a_real_prometheus_says_holds_and_then_lets_go(tmp_path: Path) -> None:
    program = prometheus.binary()
    failed = 9

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(text=f"# TYPE orders_failed gauge\norders_failed {failed}\n")

    async def story() -> None:
        nonlocal failed
        app = web.Application()
        app.router.add_get("/metrics", exposition)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        (rules := tmp_path / "rules.yml").write_text("groups: []")
        jobs = {"orders": f"127.0.0.1:{runner.addresses[0][1]}"}
        config = settings(tmp_path / "s")
        async with prometheus.scraping(program, tmp_path, jobs, rules) as source, plane(config) as control:
            asks = f"{{name: orders, url: '{source.session._base_url}', query: orders_failed, max: 5, every: 1s}}"
            async with running(FakeProxy(config.xds), FakeSidecar(config.xds, control.rows())):
                await control.apply(SERVICE + "---\n" + PLAN + f"  promql: [{asks}]\n")
                await holds(control, "promql")
                assert control.control.engine.last["chat-v2"].decision.text == "query orders is 9, above 5"
                failed = 0
                await control.until(lambda: isinstance(control.phase(), Observing), timeout_s=30.0)
        await runner.cleanup()

    asyncio.run(story())
