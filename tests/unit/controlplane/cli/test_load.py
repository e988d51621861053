"""`serinus load`: whom it asks, and whom it does not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner

from controlplane.cli.app import app
from controlplane.cli.client import EXIT_ERROR, EXIT_NOT_FOUND, EXIT_USAGE
from serinus.v1 import admin_pb2, admin_pb2_grpc

SERVERS = [
    admin_pb2.ServersView(version=name, endpoints=["127.0.0.1:1"], in_clear=name != "v3") for name in ("v1", "v2", "v3")
]
CHAT = admin_pb2.ServiceView(name="chat", protocol="openai", baseline="v1", rollout="chat-v2", servers=SERVERS)
IDLE = admin_pb2.ServiceView(name="idle", protocol="openai", baseline="v1", servers=SERVERS)
DIGITS = admin_pb2.ServiceView(name="digits", protocol="kserve-v2", baseline="v1", servers=SERVERS)


class Plane(admin_pb2_grpc.AdminServicer):
    weight_bp = 0

    def Get(self, request: admin_pb2.GetRequest, context: grpc.ServicerContext) -> admin_pb2.GetResponse:
        if request.kind == "rollout":
            return admin_pb2.GetResponse(rollouts=[admin_pb2.RolloutView(candidate="v2", weight_bp=self.weight_bp)])
        return admin_pb2.GetResponse(services=[each for each in (CHAT, IDLE, DIGITS) if each.name == request.name])


def run(*args: str, weight_bp: int = 0) -> tuple[int, str]:
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    plane = Plane()
    plane.weight_bp = weight_bp
    admin_pb2_grpc.add_AdminServicer_to_server(plane, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        result = CliRunner().invoke(app, ["load", *args, "--admin", f"127.0.0.1:{port}", "--duration", "1s"])
    finally:
        server.stop(None).wait()
    return result.exit_code, result.output


def test_the_candidate_of_the_running_rollout_is_meant_before_its_first_step() -> None:
    code, output = run("chat", "-o", "json")
    assert code == EXIT_ERROR, "nobody listens there"
    assert "http://127.0.0.1:1/v1/chat/completions" in output
    assert '"no_answer": 1' in output


@pytest.mark.parametrize(
    ("args", "weight_bp", "words"),
    [
        (("chat",), 100, "v2 has users now"),
        (("chat", "--version", "v1"), 0, "v1 has users now"),
        (("idle",), 0, "which version of idle"),
        (("idle", "--version", "v9"), 0, "one of v1, v2, v3"),
        (("idle", "--version", "v3"), 0, "TLS or a credential"),
        (("digits", "--version", "v2"), 0, "speaks kserve-v2"),
    ],
)
def test_a_version_that_must_not_or_cannot_be_asked_is_refused(
    args: tuple[str, ...], weight_bp: int, words: str
) -> None:
    code, output = run(*args, weight_bp=weight_bp)
    assert code == EXIT_USAGE
    assert words in output


def test_a_version_with_users_may_be_asked_by_one_who_means_it() -> None:
    assert run("chat", "--while-serving", weight_bp=100)[0] == EXIT_ERROR


def test_a_service_that_is_not_there_is_named() -> None:
    assert run("nobody")[0] == EXIT_NOT_FOUND


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "give a service, or --url"),
        (["chat", "--url", "http://127.0.0.1:1"], "give a service, or --url"),
        (["--url", "127.0.0.1:1"], "is no URL"),
        (["--url", "http://127.0.0.1:1", "--rps", "1000"], "--rps 1000 is not between"),
        (["--url", "http://127.0.0.1:1", "--duration", "30"], "is not a duration"),
        (["--url", "http://127.0.0.1:1", "--max-failed", "5"], "is not a percentage"),
        (["--url", "http://127.0.0.1:1", "--prompt-file", "/nonexistent"], "cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(args: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["load", *args])
    assert result.exit_code == EXIT_USAGE
    assert words in result.output


def test_a_prompt_file_without_prompts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompts"
    path.write_text("\n\n")
    result = CliRunner().invoke(app, ["load", "--url", "http://127.0.0.1:1", "--prompt-file", str(path)])
    assert (result.exit_code, "holds 0 prompts" in result.output) == (EXIT_USAGE, True)
