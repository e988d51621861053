"""`serinus`: the console script. Every verb that reads or changes a running system is a call of the admin API."""

from collections.abc import Callable
from importlib.metadata import version as distribution_version
from typing import Annotated

import typer

from controlplane.cli import (
    access,
    alerts,
    certs,
    changes,
    controlplane,
    doctor,
    feedback,
    late,
    objects,
    operate,
    processes,
    records,
    report,
    storage,
    tokens,
    trends,
)

app = typer.Typer(
    name="serinus",
    cls=late.Verbs,
    help="Safe gray releases of AI model servers on Envoy.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"serinus {distribution_version('serinus')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Safe gray releases of AI model servers on Envoy. Start with: serinus demo"""


VERBS: tuple[Callable[..., None], ...] = (
    processes.demo,
    processes.up,
    objects.apply,
    changes.diff,
    changes.delete,
    objects.get,
    objects.describe,
    objects.explain,
    objects.cohort,
    records.history,
    records.audit,
    trends.trends,
    alerts.alerts,
    alerts.ack,
    alerts.silence,
    report.report,
    operate.watch,
    operate.wait,
    operate.pause,
    operate.resume,
    operate.retry,
    operate.promote,
    operate.approve,
    operate.abort,
    feedback.feedback,
    tokens.token,
    late.plan,
    late.load,
    late.judge,
    late.simulate,
    controlplane.controlplane,
    storage.backup,
    storage.restore,
    processes.bootstrap,
    doctor.doctor,
)
for verb in VERBS:
    app.command()(verb)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)(processes.extproc)
app.add_typer(certs.app, name="certs")
app.add_typer(access.app, name="access")
