"""`serinus plan`: what a rollout would do, before it does. Works offline, talks to no control plane.

The traffic is what the operator says it is: nothing is measured here, and no verdict will rest on it.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.cli.objects import read_files
from controlplane.cli.output import OUTPUT_OPTION, Output, emit, table
from controlplane.engine.steps import PLACEHOLDER, ask_of, is_auto, is_by_request, ladder
from controlplane.evidence.outlook import Ask, Outlook, Traffic, outlook
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import Manifest, load
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.manifest.units import in_time
from serinus.contract.weight import format_bp


def plan(
    filename: Annotated[list[str], typer.Option("--filename", "-f", help="Manifest file, directory, or - for stdin.")],
    rps: Annotated[float, typer.Option(help="Requests per second of the service.")] = 10.0,
    users: Annotated[
        int | None,
        typer.Option(min=1, help="Different sticky keys (users, sessions) a day; none: as many as requests."),
    ] = None,
    baseline_errors: Annotated[float, typer.Option(help="Share of requests that fail today.")] = 0.005,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """What a rollout would do. Example: serinus plan -f chat-v2.yaml --rps 50 --users 20000

    Expected time to promote, requests exposed if it is bad, the traffic it needs, and warnings. Gives `steps: auto` its
    list. Add the service's manifest with a second -f, so that `sticky: request` is known.
    """
    if not 0.0 < rps <= 1e6 or not 0.0 <= baseline_errors <= 0.5:
        raise fail("--rps is above 0 and at most 1e6, --baseline-errors a share up to 0.5", code=EXIT_USAGE)
    try:
        manifests = load(((file.name, file.text) for file in read_files(filename)), auto_steps=PLACEHOLDER)
    except ManifestError as error:
        raise fail(str(error)) from None
    rollouts = [manifest for manifest in manifests if isinstance(manifest.spec, RolloutSpec)]
    if not rollouts:
        raise fail("no Rollout in these files; next: give the file of one with -f", code=EXIT_USAGE)
    plans = [_plan(manifest, _traffic(manifest, manifests, rps, users, baseline_errors)) for manifest in rollouts]
    if output is not Output.TABLE:
        emit({"plans": [_values(*each) for each in plans]}, output)
        return
    for each in plans:
        _print(*each)


def _traffic(rollout: Manifest, manifests: Sequence[Manifest], rps: float, users: int | None, rate: float) -> Traffic:
    """Where the service's keys are its requests, users do not come back."""
    for manifest in manifests:
        if not isinstance(manifest.spec, ServiceSpec) or manifest.name != rollout.data.get("service"):
            continue
        if is_by_request(manifest.spec):
            return Traffic(rps, rate, None)
    return Traffic(rps, rate, users)


def _plan(manifest: Manifest, traffic: Traffic) -> tuple[Manifest, Traffic, Ask, Outlook]:
    spec = manifest.spec
    assert isinstance(spec, RolloutSpec)
    ask = ask_of(spec, ladder(spec, traffic) if is_auto(manifest) else spec.steps_bp)
    return manifest, traffic, ask, outlook(ask, traffic)


def _values(manifest: Manifest, traffic: Traffic, ask: Ask, found: Outlook) -> dict[str, Any]:
    """JSON knows no infinity: never is null."""
    plain = {
        "rollout": manifest.name,
        "steps": [format_bp(step) for step in ask.steps_bp],
        "is_auto": is_auto(manifest),
    }
    finite: dict[str, Any] = _finite(plain | {"traffic": asdict(traffic), "outlook": asdict(found)})
    return finite


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print(manifest: Manifest, traffic: Traffic, ask: Ask, found: Outlook) -> None:
    keys = "each request a key of its own" if traffic.users is None else f"{traffic.users} users a day"
    typer.echo(
        f"{manifest.name}, at {traffic.rps:g} requests/s, {keys}, {traffic.error_rate:.3%} of them failing today:"
    )
    if is_auto(manifest):
        typer.echo(f"steps: [{', '.join(format_bp(step) for step in ask.steps_bp)}]  # write this in place of `auto`")
    rows = [
        (format_bp(step.weight_bp), _duration(step.seconds), _count(step.candidate_requests)) for step in found.steps
    ]
    if ask.warm_up_s:
        rows.insert(0, ("warm-up", _duration(ask.warm_up_s), "0"))
    last = format_bp(ask.steps_bp[-1])
    if ask.bake_s:
        rows.append((f"{last}, bakes", _duration(ask.bake_s), _count(traffic.rps * ask.bake_s)))
    rows.append((last, "promoted", ""))
    table(("STEP", "A HEALTHY VERSION STAYS", "REQUESTS TO THE CANDIDATE"), rows)
    needed = "" if found.rps_needed is None else f"; {found.rps_needed:.3g} requests/s are enough for the deadline"
    typer.echo(f"promoted after {_duration(found.seconds_to_promote)}{needed}")
    typer.echo("")
    table(
        ("IF IT FAILS", "REQUESTS EXPOSED BEFORE ROLLBACK", "AFTER, ON THE FIRST STEP"),
        [
            (f"{one.error_rate:.1%} of requests", _count(one.candidate_requests), _duration(one.seconds))
            for one in found.exposures
        ],
    )
    for warning in found.warnings:
        typer.echo(f"warning: {warning}")


def _duration(seconds: float) -> str:
    return "never" if math.isinf(seconds) else in_time(seconds)


def _count(count: float) -> str:
    return "-" if math.isinf(count) else f"{math.ceil(count)}"
