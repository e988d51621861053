"""docker-compose.yml as the tests read it: services, mounts, ports, and the flags of our own commands."""

import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
import typer.core
from ruamel.yaml import YAML
from typer.exceptions import TyperException

from controlplane.cli.app import app

ROOT = Path(__file__).parents[2]
OUR_IMAGE = "serinus:local"


@cache
def yaml_of(path: str) -> Any:
    """A YAML file of the repository."""
    return YAML(typ="safe", pure=True).load((ROOT / path).read_text(encoding="utf-8"))


DOCUMENT = yaml_of("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == OUR_IMAGE}


class UnknownCommandError(TyperException):
    """A word that is no command of `serinus`."""


@dataclass(frozen=True, slots=True)
class Mount:
    source: str
    target: str
    is_read_only: bool

    @property
    def is_bind(self) -> bool:
        return self.source.startswith(".")


def mounts(service: str) -> list[Mount]:
    parts = [text.split(":") for text in SERVICES[service].get("volumes", [])]
    return [Mount(part[0], part[1], part[2:] == ["ro"]) for part in parts]


def mount_of(service: str, path: str) -> Mount | None:
    """The mount that holds a path inside the container."""
    found = [mount for mount in mounts(service) if Path(mount.target) in (Path(path), *Path(path).parents)]
    return max(found, key=lambda mount: len(mount.target), default=None)


def argv(service: str) -> list[str]:
    """The arguments after `serinus`, of a service that runs it directly or through a shell that redirects it."""
    command = list(SERVICES[service]["command"])
    if SERVICES[service].get("entrypoint", [])[:1] != ["sh"]:
        return command
    (line,) = command
    words = shlex.split(line)
    assert words[0] == "serinus", line
    return words[1 : words.index(">")] if ">" in words else words[1:]


def parse(arguments: list[str]) -> dict[str, Any]:
    """The parameters of one `serinus` command line, parsed by the real CLI and not run. Raises TyperException."""
    command: Any = typer.main.get_command(app)
    name, *rest = ["serinus", *arguments]
    while isinstance(command, typer.core.TyperGroup):
        name, *rest = rest
        if name not in command.commands:
            raise UnknownCommandError(name)
        command = command.commands[name]
    with command.make_context(name, rest) as context:
        return dict(context.params)


def flag(service: str, name: str) -> str:
    """The value of `--name value` or `--name=value` in a command; "" if it is not there."""
    words = argv(service)
    for place, word in enumerate(words):
        if word == f"--{name}":
            return words[place + 1]
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return ""


def port(service: str, name: str) -> int:
    return int(flag(service, name).rpartition(":")[2])
