"""`serinus load`: one bounded stress test of a version, at its own servers, past the proxies.

It is no evidence: the judge sees what users met, and these requests go nowhere near them.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.client import (
    ADMIN_OPTION,
    CALL_TIMEOUT_S,
    DEFAULT_ADMIN,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    call,
    fail,
)
from controlplane.cli.output import OUTPUT_OPTION, Output, emit, table
from controlplane.local.stress.ask import (
    PROMPT_FILE_BYTES_MAX,
    StressAsk,
    StressError,
    checked,
    endpoint_urls,
    prompts_of,
    url_of,
)
from controlplane.local.stress.report import StressReport, as_json, rows
from controlplane.local.stress.runner import stress
from controlplane.manifest.units import parse_duration_ms, parse_percent_bp
from serinus.v1 import admin_pb2


def load(
    service: Annotated[str, typer.Argument(help="The service; or give --url.")] = "",
    version: Annotated[
        str, typer.Option("--version", help="Which one; without it the running rollout's candidate.")
    ] = "",
    url: Annotated[list[str] | None, typer.Option("--url", help="A server to ask instead of a version's own.")] = None,
    rps: Annotated[float, typer.Option("--rps", help="Requests a second, at most 200; they keep this rate.")] = 1.0,
    duration: Annotated[str, typer.Option("--duration", help="For how long, at most 10m.")] = "30s",
    concurrency: Annotated[int, typer.Option("--concurrency", help="Under way at a time; more are not sent.")] = 64,
    timeout: Annotated[str, typer.Option("--timeout", help="For one answer.")] = "30s",
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="How the answers come.")] = True,
    prompt_file: Annotated[
        Path | None, typer.Option("--prompt-file", help="One prompt a line; drawn at random.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="`model` of the requests.")] = "chat",
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Of an answer.")] = 64,
    max_failed: Annotated[str, typer.Option("--max-failed", help="More failures than this share: exit code 1.")] = "0%",
    while_serving: Annotated[
        bool, typer.Option("--while-serving", help="Also a version that has users now: they will wait longer.")
    ] = False,
    admin: Annotated[str, ADMIN_OPTION] = DEFAULT_ADMIN,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """Stress a version before its first step. Example: serinus load chat --rps 5 --duration 30s

    Chat completions, straight to the version's own servers; each is sent once. What is due while `--concurrency` are
    under way counts as failed: the servers did not keep up.
    """
    try:
        if bool(service) == bool(url):
            raise StressError("give a service, or --url")
        failed_max = parse_percent_bp(max_failed) / 10_000
        ask = checked(
            StressAsk(
                urls=tuple(url_of(each) for each in url or ()) or _urls(admin, service, version, while_serving),
                rps=rps,
                duration_s=parse_duration_ms(duration) / 1000,
                concurrency=concurrency,
                timeout_s=parse_duration_ms(timeout) / 1000,
                streams=stream,
                model=model,
                max_tokens=max_tokens,
                prompts=_prompts(prompt_file) if prompt_file is not None else (),
            )
        )
    except (ValueError, StressError) as error:
        raise fail(str(error), code=EXIT_USAGE) from None
    _print(ask, report := _made(ask), output)
    if report.failed_ratio > failed_max:
        raise fail(f"{report.failed_ratio:.2%} of the requests failed, more than {max_failed}")


def _made(ask: StressAsk) -> StressReport:
    try:
        return asyncio.run(stress(ask))
    except KeyboardInterrupt:
        raise fail("stopped; nothing is reported") from None


def _print(ask: StressAsk, report: StressReport, output: Output) -> None:
    if output is Output.TABLE:
        table(["STRESS TEST", ", ".join(ask.urls)], rows(report))
    else:
        emit({"urls": list(ask.urls), "rps": ask.rps, "duration_s": ask.duration_s} | as_json(report), output)


def _urls(admin: str, service: str, version: str, while_serving: bool) -> tuple[str, ...]:
    """The servers of the version that is meant. Raises StressError, or what `fail` gives."""
    response = call(
        admin, lambda stub: stub.Get(admin_pb2.GetRequest(kind="service", name=service), timeout=CALL_TIMEOUT_S)
    )
    if not response.services:
        raise fail(f"no service {service}; next: serinus get services", code=EXIT_NOT_FOUND)
    view = response.services[0]
    rollout = _rollout(admin, view.rollout) if view.rollout else None
    name = version or (rollout.candidate if rollout is not None else "")
    servers = {each.version: each for each in view.servers}
    if name not in servers:
        raise StressError(f"which version of {service}? Give --version, one of {', '.join(servers)}")
    if view.protocol != "openai":
        raise StressError(f"service {service} speaks {view.protocol}; this test asks for OpenAI chat completions")
    if not servers[name].in_clear:
        raise StressError(f"the servers of {name} need TLS or a credential, which only the proxies have; next: --url")
    weight_bp = rollout.weight_bp if rollout is not None else 0
    has_users = name == view.baseline or (rollout is not None and name == rollout.candidate and weight_bp > 0)
    if has_users and not while_serving:
        raise StressError(f"{name} has users now, who would wait longer; next: --while-serving, if that is meant")
    return endpoint_urls(servers[name].endpoints)


def _rollout(admin: str, name: str) -> admin_pb2.RolloutView:
    request = admin_pb2.GetRequest(kind="rollout", name=name, brief=True)
    response: admin_pb2.GetResponse = call(admin, lambda stub: stub.Get(request, timeout=CALL_TIMEOUT_S))
    return response.rollouts[0]


def _prompts(path: Path) -> tuple[str, ...]:
    """Raises StressError."""
    try:
        with path.open("rb") as file:
            data = file.read(PROMPT_FILE_BYTES_MAX + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise StressError(f"--prompt-file {path} cannot be read: {error}") from None
    if len(data) > PROMPT_FILE_BYTES_MAX:
        raise StressError(f"--prompt-file {path} is larger than {PROMPT_FILE_BYTES_MAX // 2**20} MB")
    return prompts_of(text)
