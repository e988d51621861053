"""How verbs print: tables for people, JSON and YAML for programs."""

import io
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

# Wider than any row: a sentence with all its numbers is some 300 characters.
PIPED_COLUMNS = 1_000


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OUTPUT_OPTION = typer.Option("--output", "-o", help="table, json or yaml.")


def as_dict(message: Message) -> dict[str, Any]:
    """Field names as in the proto; numbers of 64 bits as numbers; defaults shown."""
    data = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return _numbers(data)  # type: ignore[no-any-return]


_REQUESTS_AND_TOKENS = ("requests", "tokens_in", "tokens_out")
_INT64_SUFFIXES = ("_ms", "_n", "_bad", *_REQUESTS_AND_TOKENS, "_keys", "_recent", "_mismatches", "revision", "serial")


def _numbers(value: Any, key: str = "") -> Any:
    """protobuf's JSON writes 64-bit integers as text, for JavaScript; programs here want numbers."""
    if isinstance(value, dict):
        return {name: _numbers(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item, key) for item in value]
    if isinstance(value, str) and key.endswith(_INT64_SUFFIXES) and value.lstrip("-").isdigit():
        return int(value)
    return value


def emit(data: Any, output: Output) -> None:
    """Print plain data as JSON or YAML."""
    if output is Output.JSON:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    yaml, text = YAML(), io.StringIO()
    yaml.default_flow_style = False
    yaml.dump(data, text)
    typer.echo(text.getvalue().rstrip())


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns without lines, as kubectl prints them."""
    grid = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*row)
    # Piped output is not cut to a screen that is not there.
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_COLUMNS)
    console.print(grid)


def utc(at_ms: int) -> str:
    """A moment for people, to the second; say "UTC" beside it."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
