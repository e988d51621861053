"""Every panel of every Grafana dashboard has data: asked of a real Prometheus that scrapes a real rollout.

What no laptop has (a GPU, a server with a KV cache) comes from recorded expositions, read by the control plane as it
reads servers. Variables are filled in as Grafana fills them in.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from tests.e2e import prometheus
from tests.e2e.harness import Site, rollout_text, service_text, wait_for
from tests.e2e.prometheus import Prometheus
from tests.unit.compose_file import ROOT, yaml_of
from tests.unit.test_dashboards import FILES, dashboard, panels

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.demo, pytest.mark.timeout(200)]

USERS = [f"user-{n}" for n in range(300)]
EXPOSITIONS = ROOT / "tests/data/expositions"
RULES = "envoy/observability/rules.yml"
# $__rate_interval as Grafana derives it, of four scrapes; longer, since a busy machine may miss some of them.
VARIABLES = {"$__rate_interval": "15s", "$service": "chat", "$rollout": "chat-v2", "$instance": ".+"}


async def expositions() -> tuple[web.AppRunner, str]:
    """A server and an exporter as they were recorded, alike for both versions."""

    async def answer(request: web.Request) -> web.Response:
        text = (EXPOSITIONS / f"{request.match_info['name']}.txt").read_text(encoding="utf-8")
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


def services(versions: Mapping[str, str], recorded: str) -> list[str]:
    text = service_text("chat", versions, host="chat.test", protocol="openai", observe_body=True)
    health = "health: {path: /health"
    metrics = f'metrics: {{scrape: false, urls: ["{recorded}/vllm", "{recorded}/dcgm"]}}'
    logs = 'logs: {files: [servers.log], patterns: {oom: "out of memory"}}'
    probes = f'  probes: [{{name: store, url: "{recorded}/vllm", every: 1s}}]\n'
    return [text.replace(health, f"{metrics}, {logs}, {health}") + probes]


async def write_logs(path: Path) -> None:
    """As servers do that fail now and then, until cancelled."""
    while True:
        with path.open("a", encoding="utf-8") as log:
            log.write("CUDA error: out of memory\n")
        await asyncio.sleep(0.5)


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def asked() -> dict[str, str]:
    """What Grafana would ask for each panel and each variable, and the recording rules, by where they stand."""
    found: dict[str, str] = {}
    for path in FILES:
        document = dashboard(path)
        for panel in panels(document):
            for target in panel["targets"]:
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = filled(target["expr"])
        for variable in document["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = _label_values(variable["query"]["query"])
                found[f"{path.stem}: ${variable['name']}"] = f"count by ({label}) ({filled(metric)})"
    recorded = [rule["record"] for group in yaml_of(RULES)["groups"] for rule in group["rules"] if "record" in rule]
    return found | {f"recorded: {name}": name for name in recorded}


def _label_values(query: str) -> tuple[str, str]:
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert match is not None, query
    return match[1], match[2]


def annotations() -> list[str]:
    return [filled(entry["expr"]) for path in FILES for entry in dashboard(path)["annotations"]["list"]]


async def without_data(source: Prometheus, began_s: float) -> list[str]:
    """Where nothing would be seen."""
    questions, now_s = asked(), time.time()
    answers = await asyncio.gather(*(source.answers(each, began_s, now_s) for each in questions.values()))
    return [place for place, series in zip(questions, answers, strict=True) if not series]


async def until_every_panel_has_data(source: Prometheus, began_s: float) -> None:
    deadline = time.monotonic() + 90.0
    while missing := await without_data(source, began_s):
        assert time.monotonic() < deadline, missing
        await asyncio.sleep(0.5)


async def checked(url: str) -> None:
    """promtool has nothing to say about what a process shows, with all that it has counted."""
    promtool = shutil.which("promtool")
    assert promtool is not None, "it comes with Prometheus"
    async with ClientSession() as session, session.get(url) as answer:
        text = await answer.read()
    process = await asyncio.create_subprocess_exec(
        promtool,
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(text)
    assert process.returncode == 0, said.decode()


async def watch_a_rollout(site: Site, source: Prometheus) -> None:
    began_s = time.time()

    async def scraped() -> bool:
        now_s = time.time()
        both = [await source.answers(name, began_s, now_s) for name in ("serinus_sidecars", "serinus_outcomes_total")]
        return all(both)

    # Prometheus looks for its targets once in five seconds.
    await wait_for(scraped, timeout_s=60, what="both planes are scraped")
    await site.admin.apply(rollout_text("chat-v2", "chat"))
    await site.admin.until_observing("chat-v2", weight_bp=2500)
    await until_every_panel_has_data(source, began_s)
    for address in (site.stack.settings.http, site.stack.settings.sidecar_http):
        await checked(f"http://{address}/metrics")
    for expression in annotations():
        marked = await source.answers(expression, began_s, time.time())
        assert ("advance", "prepared") in [(each["action"], each["reason"]) for each in marked], expression


def test_every_panel_has_data_from_a_real_rollout_and_its_first_step_is_marked(
    runner: asyncio.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = prometheus.binary()
    monkeypatch.setenv("SERINUS_SERVER_LOGS", str(tmp_path))

    async def story() -> None:
        recorded, url = await expositions()
        logs = asyncio.create_task(write_logs(tmp_path / "servers.log"))
        try:
            async with await Site.start(tmp_path, lambda versions: services(versions, url)) as site:
                site.v1.failure_share = site.v2.failure_share = 0.1
                site.v1.length_share = site.v2.length_share = 0.2
                jobs = {"control": site.stack.settings.http, "sidecar": site.stack.settings.sidecar_http}
                async with (
                    prometheus.scraping(program, tmp_path, jobs, ROOT / RULES) as source,
                    site.client.load(USERS, rate=20),
                    site.client.load(USERS, rate=10, stream=True),
                ):
                    await watch_a_rollout(site, source)
        finally:
            logs.cancel()
            await recorded.cleanup()

    runner.run(asyncio.wait_for(story(), 170))
