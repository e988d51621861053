"""What `get` and `describe` print of proxies, groups and strangers."""

from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from typer.testing import CliRunner

from controlplane.cli.app import app
from serinus.v1 import admin_pb2, admin_pb2_grpc

PROXY = admin_pb2.ProxyView(
    node="edge-1",
    group="edge",
    cluster="edge",
    mode="delta",
    state="rejected",
    connected=True,
    accepted_routes="0123456789abcdef",
    published_routes="fedcba9876543210",
    last_error="RouteConfiguration: Sum of weights must be greater than 0",
    envoy_version="1.40.0",
)
REFUSAL = admin_pb2.RefusalView(node="x-1", cluster="elsewhere", reason="no such proxy group", at_ms=1_700_000_000_000)
GROUP = admin_pb2.ProxyGroupView(
    name="edge", listen="0.0.0.0:8080", nodes=["edge-*"], services=["chat"], connected=3, up_to_date=2
)
ROLLOUT = admin_pb2.RolloutView(
    name="chat-v2",
    service="chat",
    baseline="v1",
    candidate="v2",
    phase="observing",
    steps_bp=[1000, 10000],
    step_count=2,
    weight_bp=1000,
    rejections=[
        admin_pb2.RejectionView(node="edge-1", group="edge", type="Cluster", message="the whole of it " * 30 + "end")
    ],
    findings=["secret file token cannot be read"],
    slices=[
        admin_pb2.SliceView(
            dimension="cohort",
            value="eu",
            baseline_requests=900,
            baseline_bad=9,
            candidate_requests=100,
            candidate_bad=12,
            worse_log_e=8.125,
            named=True,
        ),
        admin_pb2.SliceView(dimension="cohort", value="everyone", baseline_requests=800, candidate_requests=90),
    ],
)


class Answers(admin_pb2_grpc.AdminServicer):
    def Get(self, request: admin_pb2.GetRequest, context: grpc.ServicerContext) -> admin_pb2.GetResponse:
        if request.name == "nope":
            return admin_pb2.GetResponse()
        match request.kind:
            case "proxy":
                return admin_pb2.GetResponse(proxies=[PROXY], refusals=[REFUSAL])
            case "group":
                return admin_pb2.GetResponse(groups=[GROUP])
            case "rollout":
                return admin_pb2.GetResponse(rollouts=[ROLLOUT])
        return admin_pb2.GetResponse()

    def Explain(self, request: admin_pb2.ExplainRequest, context: grpc.ServicerContext) -> admin_pb2.ExplainResponse:
        view = admin_pb2.RolloutView(name=request.rollout, finding="dependency", finding_text="store is away")
        view.findings.extend(["labels are late", "logs: the candidate's servers wrote oom"])
        return admin_pb2.ExplainResponse(rollout=view, sentences=["It observes.", "Feedback: labels are late."])


@pytest.fixture
def admin() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    admin_pb2_grpc.add_AdminServicer_to_server(Answers(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def said(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.output


def test_an_explanation_ends_with_what_it_looks_like_and_what_no_sentence_has_said(admin: str) -> None:
    assert said("explain", "chat-v2", "--admin", admin).splitlines() == [
        "It observes.",
        "Feedback: labels are late.",
        "It looks like dependency: store is away.",
        "Noted: logs: the candidate's servers wrote oom.",
        "",
    ]


def test_proxies_are_shown_with_group_mode_state_and_what_they_run_beside_what_is_published(admin: str) -> None:
    header, row, blank, refused, stranger = said("get", "proxies", "--admin", admin).splitlines()
    assert header.split() == [
        *("PROXY", "GROUP", "MODE", "STATE", "ACCEPTED", "PUBLISHED", "SIDECAR", "ENVOY", "LAST", "ERROR")
    ]
    assert row.split()[:8] == ["edge-1", "edge", "delta", "rejected", "01234567", "fedcba98", "no", "1.40.0"]
    assert row.rstrip().endswith("Sum of weights must be greater than 0")
    assert (blank, refused.split()[:2]) == ("", ["REFUSED", "NODE"])
    assert stranger.split() == ["x-1", "elsewhere", "2023-11-14", "22:13:20", "no", "such", "proxy", "group"]


def test_groups_are_shown_with_how_many_of_their_proxies_are_up_to_date(admin: str) -> None:
    header, row = said("get", "groups", "--admin", admin).splitlines()
    assert header.split() == ["GROUP", "LISTEN", "NODES", "UP", "TO", "DATE", "SERVICES"]
    assert row.split() == ["edge", "0.0.0.0:8080", "edge-*", "2/3", "chat"]


def test_a_rollout_is_described_with_envoys_words_in_full(admin: str) -> None:
    text = said("describe", "rollout", "chat-v2", "--admin", admin)
    assert "OBSERVING" in text
    assert "10%" in text
    assert ROLLOUT.rejections[0].message in text
    assert "note: secret file token cannot be read" in text


def test_an_object_that_is_not_there_has_its_own_exit_code(admin: str) -> None:
    assert "no proxy nope; next: serinus get proxies" in said("describe", "proxies", "nope", "--admin", admin, code=13)


def test_slices_are_shown_in_their_order_and_said_to_decide_nothing(admin: str) -> None:
    said_lines = said("describe", "rollout", "chat-v2", "--admin", admin).splitlines()
    begun = said_lines.index("slices: bad requests since the start, shown and never decisive")
    eu, everyone = (line.split() for line in said_lines[begun + 2 : begun + 4])
    assert eu == [*("cohort", "eu", "errors", "9", "of", "900", "12", "of", "100", "8.1", "worse")]
    assert everyone == [*("cohort", "everyone", "errors", "0", "of", "800", "0", "of", "90", "0.0", "-")]
