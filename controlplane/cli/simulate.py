"""`serinus simulate`: policies head to head on synthetic or replayed traffic. Works offline."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, emit
from controlplane.errors import SerinusError
from controlplane.simulate import trace as traces
from controlplane.simulate.head_to_head import JUDGES, Result, Setting, run
from controlplane.simulate.report import table, values
from controlplane.simulate.worlds import NAMES

_TRACE_BYTES_MAX = 64 * 1024 * 1024


def simulate(
    rps: Annotated[float, typer.Option(help="Requests per second, both versions together.")] = 100.0,
    baseline_errors: Annotated[float, typer.Option(help="Share of the baseline's requests that fail.")] = 0.005,
    candidate_errors: Annotated[
        float, typer.Option(help="The candidate's; the same: every rollback is false.")
    ] = 0.005,
    rollouts: Annotated[int, typer.Option(help="How many rollouts, 540 s each.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 1,
    alpha: Annotated[float, typer.Option(help="Of the serinus judge.")] = 0.05,
    world: Annotated[str, typer.Option(help=", ".join(NAMES))] = "steady",
    judge: Annotated[str, typer.Option(help="Comma-separated: " + ", ".join(JUDGES))] = "serinus",
    replay: Annotated[
        Path | None, typer.Option(metavar="TRACE.csv", help="Recorded load (arrival_s, or requests_per_s), at --rps.")
    ] = None,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """Policies head to head. Example: serinus simulate --world outage --judge serinus,flagger --rollouts 500

    Weights rise from 10 to 90 % in 540 s. Per judge: how often it rolled back (falsely, if the versions are alike),
    the candidate's requests and the seconds until then (medians), and how often and when it promoted.
    """
    try:
        load = None if replay is None else traces.read(replay.name, _text(replay))
        setting = Setting(world, rps, baseline_errors, candidate_errors, rollouts, seed, alpha, load)
        if not 0.0 < alpha < 1.0:
            raise fail(f"--alpha {alpha}: must be between 0 and 1", code=EXIT_USAGE)
        results = [_run(name.strip(), setting) for name in judge.split(",")]
    except SerinusError as error:
        raise fail(str(error), code=EXIT_USAGE) from None
    if output is Output.TABLE:
        typer.echo(table(setting, results))
    else:
        emit(values(setting, results), output)


def _run(judge: str, setting: Setting) -> Result:
    """On a terminal says how far it is; the line is gone when it is done."""
    if not sys.stderr.isatty():
        return run(judge, setting)
    result = run(
        judge, setting, lambda done: typer.echo(f"\r{judge}: {done} of {setting.rollouts} rollouts", err=True, nl=False)
    )
    typer.echo("\r\033[K", err=True, nl=False)
    return result


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_TRACE_BYTES_MAX)
        return raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"--replay {path}: cannot be read: {error}") from None
