"""`serinus up`: one machine's stack in the foreground, from a manifest to Ctrl-C.

Ctrl-C (or SIGTERM) drains: new work is refused, answers in flight finish, then everything ends; a second one does not
wait. SIGHUP restarts the sidecar without losing a request. A closed terminal also sends SIGHUP: then it drains.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controlplane.engine.world import World, plan_apply
from controlplane.errors import SerinusError
from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack
from controlplane.manifest.errors import ManifestError, Problem
from controlplane.manifest.load import Manifest, load
from controlplane.manifest.proxy_group import ProxyGroupSpec
from controlplane.manifest.schema import ServiceSpec

EXIT_OK, EXIT_ERROR = 0, 1


async def run_up(settings: StackSettings, *, console: Console | None = None, stack: Stack | None = None) -> int:
    """Run until told to stop. 0: ended as asked; 1: it could not start, or a process was given up (said on screen)."""
    console = console or Console(stderr=True, soft_wrap=True)
    try:
        services = _services(settings)
        stack = stack or Stack(settings, notify=lambda text: console.print(f"[yellow]{escape(text)}[/]"))
        signals = _Signals(stack, console)
        with signals.installed():
            return await _run(stack, settings, services, signals, console)
    except SerinusError as error:
        console.print(f"[red]error:[/] {escape(str(error))}")
        return EXIT_ERROR


async def _run(
    stack: Stack, settings: StackSettings, services: list[Manifest], signals: "_Signals", console: Console
) -> int:
    starting = asyncio.create_task(stack.start())
    asked = asyncio.create_task(signals.stop.wait())
    await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return EXIT_OK
        starting.result()
        _print_summary(settings, services, stack, console)
        await _until_over(stack, asked)
        return EXIT_OK
    finally:
        asked.cancel()
        await stack.stop()


async def _until_over(stack: Stack, asked: asyncio.Task[bool]) -> None:
    running = asyncio.create_task(stack.wait())
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


class _Signals:
    """What the signals of a terminal mean for a stack."""

    def __init__(self, stack: Stack, console: Console) -> None:
        self.stop = asyncio.Event()
        self._stack = stack
        self._console = console
        self._has_terminal = has_terminal()
        self._hand_over: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGINT: self._on_stop, signal.SIGTERM: self._on_stop, signal.SIGHUP: self._on_hangup}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _on_stop(self) -> None:
        if self.stop.is_set():
            self._stack.hurry()
            return
        self._console.print("stopping: requests in flight may finish; Ctrl-C again to end now")
        self.stop.set()

    def _on_hangup(self) -> None:
        if self._has_terminal and not has_terminal():
            self.stop.set()
        elif self._hand_over is None or self._hand_over.done():
            self._hand_over = asyncio.create_task(self._restart_sidecar())

    async def _restart_sidecar(self) -> None:
        try:
            await self._stack.hand_over_sidecar()
            self._console.print("the sidecar was restarted; nothing was lost")
        except SerinusError as error:
            self._console.print(f"[red]error:[/] {escape(str(error))}")


def has_terminal() -> bool:
    """Whether this process has a controlling terminal: /dev/tty opens only then (tty(4), ENXIO)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _services(settings: StackSettings) -> list[Manifest]:
    """The services in the manifests, read here first so that a mistake is told before anything starts.

    Raises ManifestError with every file and line. What must fit to objects that an existing state already holds is left
    to the control plane, which knows them.
    """
    manifests = load([(str(path), path.read_text(encoding="utf-8")) for path in settings.manifests])
    if problems := _other_groups(settings, manifests):
        raise ManifestError(problems)
    if not settings.state_dir.exists():
        plan_apply(World(), manifests, now_ms=0)
    return [manifest for manifest in manifests if isinstance(manifest.spec, ServiceSpec)]


def _other_groups(settings: StackSettings, manifests: list[Manifest]) -> list[Problem]:
    """The one Envoy here is of one group, and listens where this stack waits for it."""
    groups = [manifest for manifest in manifests if isinstance(manifest.spec, ProxyGroupSpec)]
    own = next((group for group in groups if group.name == settings.node_cluster), None)
    if groups and own is None:
        message = f"serinus up runs one proxy, of group {settings.node_cluster}; next: add a ProxyGroup of that name"
        return [groups[0].problem((), message)]
    if own is not None and isinstance(own.spec, ProxyGroupSpec) and str(own.spec.listen) != settings.listen:
        return [own.problem(("listen",), f"serinus up listens on {settings.listen}; next: --listen {own.spec.listen}")]
    return []


def _print_summary(settings: StackSettings, services: list[Manifest], stack: Stack, console: Console) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("gateway", f"http://{settings.listen}")
    for each in services:
        spec = each.spec
        if isinstance(spec, ServiceSpec):
            versions = ", ".join(f"{v.name} ({', '.join(map(str, v.servers))})" for v in spec.versions)
            table.add_row("service", escape(f"{each.name}: {' '.join(spec.hosts)} {spec.prefix} -> {versions}"))
    table.add_row("admin API", f"{settings.admin} (serinus get, serinus watch ROLLOUT)")
    table.add_row("metrics", f"http://{settings.http}/metrics  http://{settings.sidecar_http}/metrics")
    table.add_row("Envoy admin", f"http://{settings.envoy_admin}")
    table.add_row("logs", escape(str(stack.run_dir.logs)))
    console.print("[green]ready[/]")
    console.print(table)
    if not services:
        console.print("no service yet; next: serinus apply -f FILE")
    console.print("Ctrl-C drains and stops; SIGHUP restarts the sidecar without losing a request")
