"""The control plane over its real ports (admin, ADS, outcome stream), with a proxy and a sidecar that the test plays."""

import asyncio
import socket
from pathlib import Path

import grpc
import pytest

from controlplane.app import ControlPlane
from controlplane.evidence.verdict import Verdict
from controlplane.rollout.model import Observing, Promoted, RolledBack, weight_bp_of
from controlplane.settings import ControlPlaneSettings, SettingsError
from serinus.v1 import admin_pb2
from tests.e2e.fleet import FakeSidecar, running
from tests.e2e.plane import PLAN, plane, settings
from tests.e2e.proxy import FakeProxy
from tests.unit.controlplane.manifest.samples import SERVICE

pytestmark = pytest.mark.e2e


def test_a_good_candidate_is_promoted_and_repeated_batches_change_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            proxy = FakeProxy(control.config.xds)
            sidecar = FakeSidecar(control.config.xds, control.rows(), repeat=True)
            async with running(proxy, sidecar):
                await control.apply(SERVICE + "---\n" + PLAN)
                await control.until(lambda: isinstance(control.phase(), Promoted))
            assert control.control.engine.world.services["chat"].baseline == "v2"
            explained = await control.call("Explain", admin_pb2.ExplainRequest(rollout="chat-v2"))
            assert isinstance(explained, admin_pb2.ExplainResponse)
            weights = [sample.weight_bp for sample in explained.samples]
            assert weights == sorted(weights)
            assert {1000, 5000} <= set(weights)
            # One user a request, each counted once although every batch came twice.
            last = explained.samples[-1].metrics[0]
            assert last.baseline_requests + last.candidate_requests == 200 * len(explained.samples)
            assert [event.reason for event in explained.events if event.action == "advance"] == [
                "prepared",
                "good_enough",
                "good_enough",
                "promoted",
            ]
            assert len(sidecar.acks) > len(set(sidecar.acks))

    asyncio.run(story())


def test_a_broken_candidate_is_rolled_back_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        config = settings(tmp_path)
        async with plane(config) as control:
            proxy = FakeProxy(config.xds)
            sidecar = FakeSidecar(
                config.xds, control.rows(bad=lambda version, index: version == "v2" and index % 2 == 0)
            )
            async with running(proxy, sidecar):
                await control.apply(SERVICE + "---\n" + PLAN)
                await control.until(lambda: isinstance(control.phase(), RolledBack))
            phase = control.phase()
            assert isinstance(phase, RolledBack)
            assert "errors: candidate" in phase.reason
            assert "worse, evidence" in phase.reason
        async with plane(config) as control:
            assert control.phase() == phase

    asyncio.run(story())


def test_a_restart_goes_on_at_the_same_step_with_the_same_evidence(tmp_path: Path) -> None:
    async def story() -> None:
        config = settings(tmp_path)
        slow = PLAN.replace("min_step: 1s", "min_step: 1h")
        async with plane(config) as control:
            proxy = FakeProxy(config.xds)
            sidecar = FakeSidecar(config.xds, control.rows())
            async with running(proxy, sidecar):
                await control.apply(SERVICE + "---\n" + slow)
                await control.until(lambda: isinstance(control.phase(), Observing))
                tracker = control.control.engine.trackers["chat-v2"]
                await control.until(lambda: len(tracker.samples()) >= 4)
            before, samples, last_route = control.phase(), tracker.samples(), proxy.routes[-1]
        async with plane(config) as control:
            assert control.phase() == before
            assert control.control.engine.trackers["chat-v2"].samples()[: len(samples)] == samples
            proxy = FakeProxy(config.xds)
            async with running(proxy):
                await control.until(lambda: bool(proxy.routes))
            assert proxy.routes == [last_route]

    asyncio.run(story())


def test_missing_things_hold_with_their_reason(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            engine = control.control.engine

            async def held(code: str, timeout_s: float = 10.0) -> None:
                await control.until(
                    lambda: "chat-v2" in engine.last and engine.last["chat-v2"].decision.code == code, timeout_s
                )

            await control.apply(SERVICE + "---\n" + PLAN)
            await held("no_proxy")
            proxy = FakeProxy(control.config.xds)
            sidecar = FakeSidecar(control.config.xds, control.rows(), healthy=0)
            async with running(proxy):
                await held("sidecar_silent")
                async with running(sidecar):
                    await held("candidate_unhealthy")
                    message = engine.last["chat-v2"].decision.text
                    assert message.startswith("v2: 0 of 1 endpoints healthy as seen by proxy edge-1; next:")
                    sidecar.untagged_total = 50
                    sidecar.healthy = 1
                    await held("untagged_requests")
            assert weight_bp_of(engine.world.rollout("chat-v2")) == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    ("unseen", "code"), [("lost_each", "lost_log_entries"), ("untagged_each", "untagged_requests")]
)
def test_good_evidence_moves_nothing_while_requests_go_unseen(tmp_path: Path, unseen: str, code: str) -> None:
    """2 of 100 requests without a log entry, or without a tag, by Envoy's own counters: the judge's answer is not used."""

    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            engine = control.control.engine
            proxy = FakeProxy(control.config.xds)
            sidecar = FakeSidecar(control.config.xds, control.rows())
            async with running(proxy, sidecar):
                await control.apply(SERVICE + "---\n" + PLAN)
                await control.until(lambda: isinstance(control.phase(), Observing))
                setattr(sidecar, unseen, 2)
                tracker = engine.trackers["chat-v2"]
                told = len(tracker.samples())
                await control.until(lambda: len(tracker.samples()) > told + 3)
                await control.until(
                    lambda: tracker.assessment is not None and tracker.assessment.verdict is Verdict.GOOD_ENOUGH
                )
                await control.until(lambda: engine.last["chat-v2"].decision.code == code)
                assert weight_bp_of(engine.world.rollout("chat-v2")) == 1000
                setattr(sidecar, unseen, 0)
                await control.until(lambda: isinstance(control.phase(), Promoted), 60.0)

    asyncio.run(story())


def test_bad_manifests_are_refused_whole_with_file_and_line(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            two = SERVICE + "---\n" + SERVICE.replace("name: chat}", "name: talk}")
            for text, part in (
                (
                    SERVICE.replace("prefix:", "prefx:"),
                    "chat.yaml:7: spec.prefx: unknown key `prefx`; did you mean `prefix`?",
                ),
                (SERVICE + "---\n" + PLAN.replace("10%", "110%"), "spec.steps[0]: 110% is more than 100%"),
                (SERVICE + "---\n" + PLAN.replace("candidate: v2", "candidate: v9"), "version v9 does not exist"),
                (SERVICE + "---\n" + PLAN.replace("canary", "bandit"), "'bandit' is not built yet"),
                (two, "both claim host * with prefix /v1/"),
                ("", "nothing to apply"),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await (control.apply(text) if text else control.call("Apply", admin_pb2.ApplyRequest()))
                assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert part in str(caught.value.details())
            answer = await control.call("Get", admin_pb2.GetRequest())
            assert answer == admin_pb2.GetResponse()

    asyncio.run(story())


def test_an_operators_hand_is_recorded_and_illegal_verbs_change_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with plane(settings(tmp_path)) as control:
            await control.apply(SERVICE + "---\n" + PLAN)
            request = admin_pb2.OperatorRequest(rollout="chat-v2", actor="ada", reason="lunch")
            await control.call("Pause", request)
            for method, bad, code in (
                ("Pause", request, grpc.StatusCode.FAILED_PRECONDITION),
                ("Resume", admin_pb2.OperatorRequest(rollout="nope"), grpc.StatusCode.NOT_FOUND),
                (
                    "Approve",
                    admin_pb2.ApproveRequest(rollout="chat-v2", step_bp=5_000),
                    grpc.StatusCode.FAILED_PRECONDITION,
                ),
                (
                    "Promote",
                    admin_pb2.PromoteRequest(rollout="chat-v2", skip_analysis=True),
                    grpc.StatusCode.INVALID_ARGUMENT,
                ),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await control.call(method, bad)
                assert caught.value.code() is code
            await control.call("Resume", request)
            await control.call("Abort", request)
            explained = await control.call("Explain", admin_pb2.ExplainRequest(rollout="chat-v2"))
            assert isinstance(explained, admin_pb2.ExplainResponse)
            by_ada = [(event.reason, event.actor) for event in explained.events if event.actor == "ada"]
            assert by_ada == [("paused", "ada"), ("resumed", "ada"), ("aborted", "ada")]
            assert explained.rollout.phase == "aborted"
            assert explained.rollout.terminal

    asyncio.run(story())


def test_a_port_that_is_taken_is_named_with_its_flag(tmp_path: Path) -> None:
    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            config = settings(tmp_path)
            control = ControlPlane(
                ControlPlaneSettings(
                    state_dir=tmp_path, admin=address, xds=config.xds, http=config.http, listen=config.listen
                )
            )
            with pytest.raises(SettingsError, match=f"--admin {address} cannot be opened"):
                await control.start()
            await control.stop()

    asyncio.run(story())
