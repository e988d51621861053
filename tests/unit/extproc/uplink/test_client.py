"""The uplink against a real gRPC server that goes away, comes back and sends nonsense."""

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from extproc.aggregate.slot import Sealed
from extproc.cohort.policies import PolicyHolder
from extproc.cohort.runner import PolicyFolder
from extproc.telemetry.catalogue import Catalogue
from extproc.uplink import wire
from extproc.uplink.client import PolicyFile, UplinkClient
from extproc.uplink.queue import ReportQueue
from serinus.v1 import outcomes_pb2
from tests.unit.extproc.controlplane import RecordingControlPlane, control_plane, eventually, policy

EPOCH = 77
ACK_TIMEOUT_S = 1.0


class NoJitter:
    def uniform(self) -> float:
        return 0.0


@dataclass
class Site:
    queue: ReportQueue
    policies: PolicyHolder
    catalogue: Catalogue
    client: UplinkClient
    running: asyncio.Task[None]

    def push(self, row_count: int = 1) -> None:
        self.queue.push(lambda seq: wire.batch(seq, Sealed({}, 5, 0), None), row_count)
        self.client.wake()


@asynccontextmanager
async def site(run_dir: Path, port: int) -> AsyncIterator[Site]:
    queue, policies, catalogue = ReportQueue(), PolicyHolder(10_000), Catalogue()
    client = UplinkClient(
        target=f"127.0.0.1:{port}",
        tls=None,
        sidecar="envoy-1",
        cluster="serinus",
        epoch=EPOCH,
        queue=queue,
        policies=policies,
        policy_file=PolicyFile(run_dir),
        files=PolicyFolder(run_dir / "policy", seed=1),
        report_slots=catalogue.report_slots,
        prng=NoJitter(),
        ack_timeout_s=ACK_TIMEOUT_S,
    )
    task = asyncio.create_task(client.run())
    try:
        yield Site(queue, policies, catalogue, client, task)
    finally:
        client.end()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(story(), 30)

    asyncio.run(bounded())


def seqs(plane: RecordingControlPlane) -> list[int]:
    return [batch.seq for batch in plane.batches]


def test_hello_comes_first_and_batches_are_sent_and_acknowledged(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane() as plane, site(tmp_path, plane.port) as here:
            here.push(row_count=3)
            here.push(row_count=0)
            await here.client.drained()
            assert [(hello.sidecar, hello.epoch, hello.cluster) for hello in plane.hellos] == [
                ("envoy-1", EPOCH, "serinus")
            ]
            assert seqs(plane) == [1, 2]
            assert here.catalogue.report_slots.values == {("acked",): 3}

    run(story)


def test_once_told_so_it_ends_with_its_connection_even_where_its_cancellation_was_swallowed(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, 9) as here:  # nobody listens there: each call ends by itself
            here.client.end()
            await asyncio.wait_for(here.running, 20)

    run(story)


def test_after_a_break_unacknowledged_batches_are_sent_again_under_their_numbers(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane(acks=False) as plane, site(tmp_path, plane.port) as here:
            here.push()
            here.push()
            await eventually(lambda: seqs(plane) == [1, 2])
            await plane.stop()
            here.push()
            plane.acks = True
            await plane.start()
            await here.client.drained()
            assert seqs(plane) == [1, 2, 1, 2, 3]
            assert [hello.epoch for hello in plane.hellos] == [EPOCH, EPOCH]

    run(story)


def test_a_control_plane_that_comes_later_gets_everything(tmp_path: Path) -> None:
    async def story() -> None:
        plane = RecordingControlPlane()
        await plane.start()
        await plane.stop()
        async with site(tmp_path, plane.port) as here:
            here.push()
            await asyncio.sleep(0.3)
            await plane.start()
            await here.client.drained()
            assert seqs(plane) == [1]
        await plane.stop()

    run(story)


def test_a_policy_comes_into_force_is_acknowledged_and_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane(policy("p1")) as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: plane.policy_acks == [("p1", "")])
            found = here.policies.policy("chat")
            assert found is not None
            assert found.salt == "r1"
        kept = PolicyFile(tmp_path).load()
        assert kept is not None
        assert kept.version == "p1"
        assert stat.S_IMODE((tmp_path / "policy.pb").stat().st_mode) == 0o600

    run(story)


def test_a_bad_policy_is_refused_with_the_reason_and_the_one_before_stays(tmp_path: Path) -> None:
    async def story() -> None:
        bad = policy("p2", salt="two words")
        async with control_plane(policy("p1"), bad) as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: len(plane.policy_acks) == 2)
            version, error = plane.policy_acks[1]
            assert version == "p2"
            assert "salt 'two words'" in error
            assert here.policies.current.version == "p1"
        kept = PolicyFile(tmp_path).load()
        assert kept is not None
        assert kept.version == "p1"

    run(story)


def test_a_reconnect_says_which_policy_is_in_force(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane(policy("p1")) as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: plane.policy_acks == [("p1", "")])
            await plane.stop()
            plane.policies.clear()
            await plane.start()
            await eventually(lambda: plane.policy_acks == [("p1", "")] * 2)
            assert here.policies.current.version == "p1"

    run(story)


def test_acknowledgements_of_another_epoch_are_not_ours(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane() as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: bool(plane.hellos))
            plane.hellos[0].epoch = EPOCH + 1
            here.push()
            await eventually(lambda: seqs(plane) == [1])
            await asyncio.sleep(0.05)
            assert len(here.queue) == 1

    run(story)


def test_a_control_plane_that_never_acknowledges_is_left_and_asked_anew(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane(acks=False) as plane, site(tmp_path, plane.port) as here:
            here.push()
            await eventually(lambda: seqs(plane) == [1])
            await asyncio.sleep(ACK_TIMEOUT_S + 0.1)
            here.push()  # each second in the process: the time is looked at then
            await eventually(lambda: len(plane.hellos) == 2 and seqs(plane)[-2:] == [1, 2])

    run(story)


def test_a_kept_policy_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    assert PolicyFile(tmp_path).load() is None
    for content in (b"\xff\xff", policy("").SerializeToString()):
        (tmp_path / "policy.pb").write_bytes(content)
        assert PolicyFile(tmp_path).load() is None


def with_list(version: str) -> outcomes_pb2.Policy:
    message = policy(version)
    text = outcomes_pb2.TextTest(source="key", op="in_file", operands=["gold"])
    message.services[0].cohorts.add(name="gold", pin="v2", when=outcomes_pb2.Condition(text=text))
    return message


def cohort_of(here: Site, user: bytes) -> str:
    compiled = here.policies.compiled("chat")
    assert compiled is not None
    return compiled.evaluate({"x-user-id": [user]}, 0).cohort


def test_a_policy_whose_list_is_missing_is_refused_and_taken_once_the_list_is_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with control_plane(policy("p1"), with_list("p2")) as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: len(plane.policy_acks) == 2)
            assert "gold: no such file" in plane.policy_acks[1][1]
            assert here.policies.current.version == "p1"
            await here.client.renew_files()
            (tmp_path / "policy").mkdir()
            (tmp_path / "policy" / "gold").write_bytes(b"ada\n")
            await here.client.renew_files()
            await eventually(lambda: plane.policy_acks[-1] == ("p2", ""))
            assert (cohort_of(here, b"ada"), cohort_of(here, b"bob")) == ("gold", "everyone")

    run(story)


def test_a_list_that_changes_comes_in_force_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    gold = tmp_path / "policy" / "gold"
    gold.write_bytes(b"ada\n")

    async def story() -> None:
        async with control_plane(with_list("p1")) as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: plane.policy_acks == [("p1", "")])
            gold.write_bytes(b"bob\ncid\n")
            await here.client.renew_files()
            assert (cohort_of(here, b"ada"), cohort_of(here, b"bob")) == ("everyone", "gold")
            gold.unlink()
            await here.client.renew_files()
            assert cohort_of(here, b"bob") == "gold"

    run(story)


def test_a_policy_that_was_taken_back_does_not_come_in_force_with_its_list(tmp_path: Path) -> None:
    async def story() -> None:
        refused = with_list("p2")
        async with control_plane(policy("p1"), refused, policy("p1")) as plane, site(tmp_path, plane.port) as here:
            await eventually(lambda: len(plane.policy_acks) == 3)
            (tmp_path / "policy").mkdir()
            (tmp_path / "policy" / "gold").write_bytes(b"ada\n")
            await here.client.renew_files()
            assert here.policies.current.version == "p1"

    run(story)
