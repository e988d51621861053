"""What the demo shows while it runs: headings, manifests, a live view on a terminal, plain lines elsewhere.

How a rollout is drawn comes from outside (`Views`): the drawing belongs to the command line, above this package.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from serinus.v1 import admin_pb2


@dataclass(frozen=True, slots=True)
class Views:
    """A rollout as a screen and as one line."""

    render: Callable[[admin_pb2.RolloutView], RenderableType]
    line: Callable[[admin_pb2.RolloutView], str]


class Screen:
    """`console` is stdout, or stderr when stdout belongs to a program."""

    def __init__(self, console: Console, views: Views) -> None:
        self._console = console
        self._views = views
        self._live: Live | None = None
        self._last_line = ""

    def say(self, text: str) -> None:
        """One sentence. Its words are never taken for markup."""
        self._console.print(Text(text), soft_wrap=True)

    def heading(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(text, style="bold"), align="left", characters="─"))

    def manifest(self, text: str) -> None:
        if self._console.is_terminal:
            self._console.print(Syntax(text, "yaml", background_color="default", word_wrap=True))
        else:
            self._console.print(Text(text), soft_wrap=True)

    def rows(self, rows: Sequence[tuple[str, str]]) -> None:
        grid = Table(box=None, show_header=False, pad_edge=False)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for label, words in rows:
            grid.add_row(Text(label, style="bold"), Text(words))
        self._console.print(grid)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While it is open, `show` draws over the last picture (on a terminal)."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, vertical_overflow="crop") as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def show(self, view: admin_pb2.RolloutView, load: str) -> None:
        """The rollout and how its users fare. Off a terminal: a line when something happened."""
        if self._live is not None:
            self._live.update(Group(Text(load, style="dim"), Text(), self._views.render(view)), refresh=True)
            return
        line = self._views.line(view)
        if line != self._last_line:
            self._last_line = line
            elapsed_s = max(0, view.now_ms - view.started_at_ms) / 1000
            self.say(f"{elapsed_s:6.1f} s  {line}  [{load}]")
