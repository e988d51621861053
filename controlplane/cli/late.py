"""Verbs that are imported when they are asked for: what they compute with (numpy, scipy, Envoy's messages) takes a
second and more to import, which whoever types `serinus get` or `abort` would wait for each time.

Each stands in `--help` by a function without options, of the same name and with the same first sentence, which a test
holds it to. `controlplane.cli.<verb>` has the real one.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def plan() -> None:
    """What a rollout would do."""


def load() -> None:
    """Stress a version before its first step."""


def judge() -> None:
    """Judge recorded counts."""


def simulate() -> None:
    """Policies head to head."""


LATE = frozenset({"plan", "load", "judge", "simulate"})


class Verbs(TyperGroup):
    """The group that puts the real verb in the place of its stand-in before it is looked at."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As the group does."""
        if args and args[0] in LATE:
            self.commands[args[0]] = real(args[0])
        return super().resolve_command(ctx, args)


def real(verb: str) -> Any:
    """The command behind a stand-in."""
    single = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]}, rich_markup_mode=None)
    single.command(verb)(getattr(import_module(f"controlplane.cli.{verb}"), verb))
    return typer.main.get_command(single)
