"""`wait` and `watch`: exit codes that CI can rely on, and words where there is no terminal."""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import pytest
from typer.testing import CliRunner

from controlplane.cli.app import app
from serinus.v1 import admin_pb2, admin_pb2_grpc

Views = list[admin_pb2.RolloutView]


def view(phase: str, *, terminal: bool = False, weight_bp: int = 1_000) -> admin_pb2.RolloutView:
    return admin_pb2.RolloutView(
        name="chat-v2",
        service="chat",
        baseline="v1",
        candidate="v2",
        phase=phase,
        steps_bp=[1_000, 10_000],
        step_count=2,
        weight_bp=weight_bp,
        message=f"it is {phase}",
        terminal=terminal,
    )


class Told(admin_pb2_grpc.AdminServicer):
    """Tells these views; after one that is not the end it waits for as long as anybody listens."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def Watch(self, request: admin_pb2.WatchRequest, context: grpc.ServicerContext) -> Iterator[admin_pb2.RolloutView]:
        if request.rollout != "chat-v2":
            context.abort(grpc.StatusCode.NOT_FOUND, f"no rollout {request.rollout}")
        yield from self._views
        gone = threading.Event()
        if not self._views[-1].terminal and context.add_callback(gone.set):
            gone.wait(30)


@pytest.fixture
def told() -> Iterator[Callable[[Views], str]]:
    servers = []

    def serve(views: Views) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2), options=[("grpc.so_reuseport", 0)])
        admin_pb2_grpc.add_AdminServicer_to_server(Told(views), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield serve
    for server in servers:
        server.stop(None).wait()


@pytest.mark.parametrize(("phase", "code"), [("promoted", 0), ("rolled_back", 10), ("aborted", 12)])
def test_wait_ends_with_the_code_of_how_the_rollout_ended(told: Callable[[Views], str], phase: str, code: int) -> None:
    address = told([view("observing"), view(phase, terminal=True)])
    result = CliRunner().invoke(app, ["wait", "chat-v2", "--admin", address])
    assert (result.exit_code, result.stdout) == (code, f"{phase}: it is {phase}\n")


def test_wait_tells_a_timeout_from_a_rollout_that_is_not_there_and_from_bad_usage(
    told: Callable[[Views], str],
) -> None:
    address = told([view("observing")])
    late = CliRunner().invoke(app, ["wait", "chat-v2", "--timeout", "200ms", "--admin", address])
    assert (late.exit_code, "still observing after 200ms" in late.stderr) == (11, True)
    assert CliRunner().invoke(app, ["wait", "none", "--admin", address]).exit_code == 13
    assert CliRunner().invoke(app, ["wait", "chat-v2", "--timeout", "soon", "--admin", address]).exit_code == 2
    assert CliRunner().invoke(app, ["wait", "chat-v2", "--admin", "127.0.0.1:1"]).exit_code == 1


def test_watch_without_a_terminal_prints_a_line_for_each_change_and_once_prints_one_screen(
    told: Callable[[Views], str],
) -> None:
    views = [view("observing"), view("observing"), view("promoted", terminal=True, weight_bp=10_000)]
    address = told(views)
    piped = CliRunner().invoke(app, ["watch", "chat-v2", "--admin", address]).stdout.splitlines()
    assert len(piped) == 2
    once = CliRunner().invoke(app, ["watch", "chat-v2", "--once", "--admin", address]).stdout.splitlines()
    assert "chat-v2" in once[0]
    assert len(once) <= 24
    assert max(map(len, once)) <= 80
