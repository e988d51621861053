"""The server round the machines: groups, counters, what is told to the engine. The protocol itself is in
tests/conformance/xds.
"""

import grpc
import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.xds.groups import GroupBook
from controlplane.xds.server import REFUSALS_MAX
from tests.unit.controlplane.xds.ads_client import GROUP, Control, DeltaCaller, SotwCaller, run
from tests.unit.controlplane.xds.factory import snapshot

_MODES = pytest.mark.parametrize("mode", list(Mode))


def _stream(control: Control, mode: Mode) -> SotwCaller | DeltaCaller:
    return control.stream() if mode is Mode.SOTW else control.delta()


@_MODES
def test_until_the_first_publish_nothing_is_answered(mode: Mode) -> None:
    """An empty response would delete what a running Envoy has."""

    async def story(control: Control) -> None:
        stream = _stream(control, mode)
        await stream.ask(CLUSTER)
        assert await stream.is_silent()
        assert [(view.node.node_id, view.mode) for view in control.fleet.connected] == [("envoy-1", mode)]

    run(story)


@_MODES
def test_a_publish_answers_the_requests_that_wait(mode: Mode) -> None:
    async def story(control: Control) -> None:
        stream = _stream(control, mode)
        await stream.ask(CLUSTER)
        await control.until(lambda: control.ads.stream_count == 1)
        control.publish(snapshot())
        assert (await stream.answer()).type_url == CLUSTER

    run(story)


def test_a_group_that_was_not_named_cannot_be_published_to_and_has_no_fleet() -> None:
    async def story(control: Control) -> None:
        with pytest.raises(KeyError):
            control.ads.publish("nowhere", snapshot())
        assert control.ads.fleet("nowhere").nodes == {}

    run(story)


def test_streams_of_a_group_that_goes_end_with_the_reason_and_the_others_go_on() -> None:
    async def story(control: Control) -> None:
        control.ads.set_groups(GroupBook({GROUP: (), "inner": ()}))
        control.publish(snapshot())
        control.ads.publish("inner", snapshot())
        here, there = control.stream("here"), control.delta("there", "inner")
        await here.start()
        await there.start()
        control.ads.set_groups(GroupBook({GROUP: ()}))
        code, details = await there.ended_with()
        assert (code, "no such proxy group; groups: edge" in details) == (grpc.StatusCode.PERMISSION_DENIED, True)
        control.publish(snapshot(listener="2"))
        await here.takes(LISTENER)
        assert control.ads.fleet("inner").nodes == {}

    run(story)


def test_a_group_that_goes_while_clusters_linger_takes_no_other_with_it() -> None:
    async def story(control: Control) -> None:
        control.ads.set_groups(GroupBook({GROUP: (), "inner": ()}))
        control.ads.publish("inner", snapshot("a", "a"))
        there = control.stream("there", "inner")
        await there.start()
        control.ads.publish("inner", snapshot("b", "b"))
        await there.takes(CLUSTER)
        await there.takes(ROUTE)
        control.ads.set_groups(GroupBook({GROUP: ()}))
        await there.ended_with()
        control.publish(snapshot())
        await control.stream("here").start()

    run(story, cluster_linger_s=0.01)


def test_a_node_that_its_group_admits_no_longer_is_sent_away() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream("x-1")
        await stream.start()
        control.ads.set_groups(GroupBook({GROUP: ("edge-*",)}))
        code, details = await stream.ended_with()
        assert (code, "does not admit node 'x-1'" in details) == (grpc.StatusCode.PERMISSION_DENIED, True)
        assert [refusal.node.node_id for refusal in control.ads.refusals] == ["x-1"]

    run(story)


def test_the_engine_is_told_of_each_change_of_the_fleet() -> None:
    async def story(control: Control) -> None:
        seen: list[tuple[int, int, int]] = []

        def note() -> None:
            fleet = control.fleet
            seen.append((len(fleet.connected), sum(len(view.accepted) for view in fleet.connected), len(fleet.nacks())))

        control.ads.on_change = note
        control.publish(snapshot())
        stream = control.stream()
        first = await stream.accepted(CLUSTER)
        await control.until(lambda: seen == [(1, 0, 0), (1, 1, 0)])
        control.publish(snapshot("a b"))
        await stream.nack(await stream.answer(), first.version_info, "no")
        await control.until(lambda: seen[-1] == (1, 0, 1))
        await stream.call.done_writing()
        await control.until(lambda: seen[-1] == (0, 0, 0))
        assert not control.fleet.nodes["envoy-1"].is_connected

    run(story)


@_MODES
def test_pushes_and_refusals_are_counted_by_type(mode: Mode) -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = _stream(control, mode)
        await stream.start()
        control.publish(snapshot(listener="2"))
        answer = await stream.answer()
        await stream.ask(LISTENER, nonce=answer.nonce, error="no")
        await control.until(lambda: control.ads.nacks_total[LISTENER] == 1)
        assert dict(control.ads.pushes_total) == {CLUSTER: 1, LISTENER: 2, ROUTE: 1}
        assert dict(control.ads.nacks_total) == {LISTENER: 1}

    run(story)


def test_the_newest_refused_streams_are_kept_for_people() -> None:
    async def story(control: Control) -> None:
        for number in range(REFUSALS_MAX + 1):
            stream = control.stream(f"s-{number}", "elsewhere")
            await stream.ask(CLUSTER)
            await stream.ended_with()
        assert len(control.ads.refusals) == REFUSALS_MAX
        newest = control.ads.refusals[-1]
        assert (newest.node.node_id, newest.node.cluster) == (f"s-{REFUSALS_MAX}", "elsewhere")
        assert "no such proxy group" in newest.reason

    run(story)


def test_a_proxy_that_reconnects_is_none_that_was_refused() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        before, after = control.stream(), control.stream()
        await before.start()
        await after.start()
        assert (await before.ended_with())[0] is grpc.StatusCode.ABORTED
        assert not control.ads.refusals
        assert control.ads.stream_count == 1

    run(story)


def test_a_message_beyond_what_grpc_takes_ends_that_stream_alone() -> None:
    async def story(control: Control) -> None:
        control.publish(snapshot())
        other = control.stream("other")
        await other.start()
        bad = control.stream("bad")
        await bad.call.write(b"\0" * 17_000_000)
        assert (await bad.ended_with())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        control.publish(snapshot(listener="2"))
        await other.takes(LISTENER)

    run(story)
