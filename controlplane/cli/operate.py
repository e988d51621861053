"""watch, wait, pause, resume, retry, promote, approve, abort: an operator's eye and hand."""

import sys
import time
from collections.abc import Iterable
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console
from rich.live import Live

from controlplane.cli.client import (
    ADMIN_OPTION,
    CALL_TIMEOUT_S,
    DEFAULT_ADMIN,
    EXIT_ABORTED,
    EXIT_ROLLED_BACK,
    EXIT_TIMEOUT,
    EXIT_USAGE,
    actor,
    admin_stub,
    call,
    fail,
)
from controlplane.cli.output import OUTPUT_OPTION, Output, as_dict, emit
from controlplane.manifest.units import parse_duration_ms, parse_percent_bp
from serinus.contract.weight import format_bp
from serinus.v1 import admin_pb2

Admin = Annotated[str, ADMIN_OPTION]
Name = Annotated[str, typer.Argument(help="The rollout's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]

ENDS = {"promoted": 0, "rolled_back": EXIT_ROLLED_BACK, "aborted": EXIT_ABORTED}


def watch(
    rollout: Name,
    admin: Admin = DEFAULT_ADMIN,
    once: Annotated[bool, typer.Option("--once", help="Print the state once and leave.")] = False,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """Watch a rollout live until it ends; works piped. Example: serinus watch chat-v2"""
    from controlplane.cli.view import plain_line, render_rollout

    request = admin_pb2.WatchRequest(rollout=rollout)
    with admin_stub(admin) as stub:
        stream = stub.Watch(request)
        if once or output is not Output.TABLE:
            for view in stream:
                if output is Output.TABLE:
                    Console().print(render_rollout(view))
                else:
                    emit(as_dict(view), output)
                if once:
                    stream.cancel()
                    return
            return
        if sys.stdout.isatty():
            _live(stream)
            return
        last = ""
        for view in stream:
            line = plain_line(view)
            if line != last:
                typer.echo(line)
            last = line


def _live(views: Iterable[admin_pb2.RolloutView]) -> None:
    """On the terminal's other screen, so that no resize litters what stands before; the last state stays behind."""
    from controlplane.cli.view import COLUMNS, LINES, render_rollout, screen_lines

    console, last = Console(), None
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            for last in views:
                live.update(render_rollout(last), refresh=True)
    finally:  # also after Ctrl-C, and when the control plane goes
        if last is not None:
            # Two lines less: what the prompt takes must not push the head out of sight.
            height = max(LINES, console.height) - 2
            for line in screen_lines(last, width=max(COLUMNS, console.width), height=height):
                console.print(line)


def wait(
    rollout: Name,
    timeout: Annotated[str, typer.Option("--timeout", help="For example 30m.")] = "24h",
    admin: Admin = DEFAULT_ADMIN,
) -> None:
    """Block until a rollout ends. Exit: 0 promoted, 10 rolled back, 11 timeout, 12 aborted, 13 no such rollout.

    Example: serinus wait chat-v2 --timeout 30m
    """
    try:
        timeout_s = parse_duration_ms(timeout) / 1000
    except ValueError as error:
        raise fail(f"--timeout {error}", code=EXIT_USAGE) from error
    deadline = time.monotonic() + timeout_s
    with admin_stub(admin) as stub:
        view = _last_view(stub, rollout, deadline)
    if view is None or not view.terminal:
        raise fail(f"rollout {rollout} is still {view.phase if view else 'running'} after {timeout}", code=EXIT_TIMEOUT)
    typer.echo(f"{view.phase}: {view.message}")
    raise typer.Exit(ENDS[view.phase])


def _last_view(stub: Any, rollout: str, deadline: float) -> admin_pb2.RolloutView | None:
    """The newest view when the rollout ended or the time was up."""
    view: admin_pb2.RolloutView | None = None
    try:
        for view in stub.Watch(admin_pb2.WatchRequest(rollout=rollout), timeout=max(0.01, deadline - time.monotonic())):
            if view.terminal:
                return view
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:  # type: ignore[attr-defined,unused-ignore]
            raise
    return view


def _operate(verb: str, rollout: str, admin: str, reason: str) -> None:
    request = admin_pb2.OperatorRequest(rollout=rollout, actor=actor(), reason=reason)
    response = call(admin, lambda stub: getattr(stub, verb)(request, timeout=CALL_TIMEOUT_S))
    typer.echo(f"rollout/{rollout} {response.rollout.phase}: {response.rollout.message}")


def pause(rollout: Name, reason: Reason = "", admin: Admin = DEFAULT_ADMIN) -> None:
    """Hold the weight where it is; a rollback on evidence still happens. Example: serinus pause chat-v2"""
    _operate("Pause", rollout, admin, reason)


def resume(rollout: Name, reason: Reason = "", admin: Admin = DEFAULT_ADMIN) -> None:
    """Go on after a pause. Example: serinus resume chat-v2"""
    _operate("Resume", rollout, admin, reason)


def abort(rollout: Name, reason: Reason = "", admin: Admin = DEFAULT_ADMIN) -> None:
    """Back to 0% now. Example: serinus abort chat-v2 --reason "wrong build" """
    _operate("Abort", rollout, admin, reason)


def retry(rollout: Name, reason: Reason = "", admin: Admin = DEFAULT_ADMIN) -> None:
    """Call failed hooks again; begin a rollout again that was rolled back. Example: serinus retry chat-v2"""
    _operate("Retry", rollout, admin, reason)


def promote(
    rollout: Name,
    skip_analysis: Annotated[
        bool, typer.Option("--skip-analysis", help="Go to 100% now, whatever the evidence; needs --reason.")
    ] = False,
    reason: Reason = "",
    admin: Admin = DEFAULT_ADMIN,
) -> None:
    """Waive the minimum time of this step; with --skip-analysis the evidence too. Example: serinus promote chat-v2"""
    request = admin_pb2.PromoteRequest(rollout=rollout, actor=actor(), reason=reason, skip_analysis=skip_analysis)
    response = call(admin, lambda stub: stub.Promote(request, timeout=CALL_TIMEOUT_S))
    typer.echo(f"rollout/{rollout} {response.rollout.phase}: {response.rollout.message}")


def approve(
    rollout: Name,
    step: Annotated[
        str, typer.Option("--step", help="The step to approve, such as 100%; without it the one that comes next.")
    ] = "",
    reason: Reason = "",
    admin: Admin = DEFAULT_ADMIN,
) -> None:
    """Let a step begin that waits for a person (`approvals` of the manifest). Example: serinus approve chat-v2"""
    try:
        step_bp = parse_percent_bp(step) if step else 0
    except ValueError as error:
        raise fail(f"--step {error}", code=EXIT_USAGE) from error
    if not step_bp:
        view = call(admin, lambda stub: stub.Get(admin_pb2.GetRequest(kind="rollout", name=rollout)))
        step_bp = view.rollouts[0].approval_needed_bp
        if not step_bp:
            raise fail(f"the next step of rollout {rollout} needs no approval; next: serinus watch {rollout} --once")
    request = admin_pb2.ApproveRequest(rollout=rollout, actor=actor(), reason=reason, step_bp=step_bp)
    response = call(admin, lambda stub: stub.Approve(request, timeout=CALL_TIMEOUT_S))
    typer.echo(f"rollout/{rollout} {format_bp(step_bp)} approved: {response.rollout.message}")
