"""Versions, nonces, acceptance and refusal (rows 1-7, 13, 23, 27 of docs/xds.md)."""

import grpc
import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.ads_client import Control, DeltaCaller, SotwCaller, run
from tests.unit.controlplane.xds.factory import snapshot


def test_the_version_belongs_to_the_type_and_survives_streams_and_servers() -> None:
    """ACK/NACK and resource type instance version: "the version for a resource type is not a property of an
    individual xDS stream but rather a property of the resources themselves." Equal content has an equal version."""
    seen: list[dict[str, str]] = []

    async def story(control: Control) -> None:
        control.publish(snapshot())
        for name in ("one", "another"):
            answers = await control.stream(name).start()
            seen.append({url: answer.version_info for url, answer in answers.items()})

    run(story)
    run(story)
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(set(seen[0].values())) == 3


def test_a_nonce_is_given_once_on_a_stream() -> None:
    """Basic Protocol Overview: the nonce "allows servers to determine which response a given request is associated
    with", so no two responses of a stream have the same."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        nonces = [answer.nonce for answer in (await stream.start()).values()]
        for listener in ("2", "3"):
            control.publish(snapshot(listener=listener))
            nonces.append((await stream.takes(LISTENER)).nonce)
        assert len(set(nonces)) == len(nonces) == 5

    run(story)


def test_an_answer_without_error_detail_accepts_whatever_version_it_names() -> None:
    """ACK/NACK and resource type instance version: "The preferred mechanism for a server to detect a NACK is to
    look for the presence of the error_detail field", never to compare versions."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        await stream.ask(CLUSTER)
        answer = await stream.answer()
        await stream.ask(CLUSTER, version="something else", nonce=answer.nonce)
        await control.until(lambda: control.fleet.nodes["envoy-1"].accepted.get(CLUSTER) == answer.version_info)
        assert control.fleet.nacks() == ()

    run(story)


def test_an_answer_with_error_detail_refuses_even_if_it_names_the_new_version() -> None:
    """ACK and NACK semantics summary: a NACK "is indicated by the presence of the error_detail field". The version
    "may not be an older version"."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        await stream.ask(CLUSTER)
        answer = await stream.answer()
        await stream.nack(answer, answer.version_info, "I will not")
        await control.until(lambda: bool(control.fleet.nacks()))
        ((_, nack),) = control.fleet.nacks()
        assert nack.message == "I will not"
        assert CLUSTER not in control.fleet.nodes["envoy-1"].accepted

    run(story)


def test_what_was_refused_is_not_sent_again_until_its_content_changes() -> None:
    """When to send an update: "If the management server provides the same set of resources rather than waiting for
    a change to occur, it will cause needless work on both the client and the management server". The last good ones
    stay in force."""

    async def story(control: Control) -> None:
        good, bad = snapshot("a b"), snapshot("a b", routes="b")
        control.publish(good)
        stream = control.stream()
        first = await stream.start()
        control.publish(bad)
        await stream.nack(await stream.answer(), first[ROUTE].version_info, "no such thing")
        assert await stream.is_silent()
        control.publish(snapshot("a b", routes="b", listener="2"))
        await stream.takes(LISTENER)
        assert await stream.is_silent(), "another type has changed, the refused one has not"
        control.publish(snapshot("a b", routes="a b"))
        types = {(await stream.answer()).type_url for _ in range(2)}
        assert types == {LISTENER, ROUTE}

    run(story)


def test_incremental_what_was_refused_is_not_sent_again_until_its_content_changes() -> None:
    """When to send an update, as above, for incremental streams: what is refused waits for a change, other
    resources of the type go on."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a"))
        stream = control.delta()
        await stream.start()
        control.publish(snapshot({"a": "1", "b": "bad"}))
        await stream.nack(await stream.answer(), "Error adding/updating cluster(s) b: bad")
        assert await stream.is_silent()
        control.publish(snapshot({"a": "1", "b": "bad", "c": "1"}))
        answer = await stream.takes(CLUSTER)
        assert [item.name for item in answer.resources] == ["c"]
        control.publish(snapshot({"a": "1", "b": "good", "c": "1"}))
        answer = await stream.takes(CLUSTER)
        assert [item.name for item in answer.resources] == ["b"]

    run(story)


def test_a_request_with_a_stale_nonce_is_ignored() -> None:
    """Resource updates: "The management server should not send a DiscoveryResponse for any DiscoveryRequest that
    has a stale nonce." """

    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.stream()
        clusters = await stream.accepted(CLUSTER)
        control.publish(snapshot("a b"))
        newer = await stream.answer()
        await stream.ask(CLUSTER, nonce=clusters.nonce, error="late words of an earlier response")
        assert await stream.is_silent()
        assert control.fleet.nacks() == ()
        await stream.ack(newer)
        await control.until(lambda: control.fleet.nodes["envoy-1"].accepted.get(CLUSTER) == newer.version_info)

    run(story)


def test_incremental_a_stale_nonce_still_subscribes() -> None:
    """Incremental xDS: "the server must honor changes to the subscription state even if the nonce is stale. The
    nonce may be used to correlate an ack/nack with a server response, but should *not* be used to reject stale
    requests." """

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes={"services": "a", "other": "a"}))
        stream = control.delta()
        await stream.accepted(CLUSTER)
        await stream.accepted(ROUTE, "services")
        await stream.ask(ROUTE, "other", nonce="never given")
        assert [item.name for item in (await stream.takes(ROUTE)).resources] == ["other"]

    run(story)


@pytest.mark.parametrize("is_incremental", [False, True])
def test_the_node_is_told_in_the_first_request_and_remembered(is_incremental: bool) -> None:
    """Basic Protocol Overview: "Only the first request on a stream is guaranteed to carry the node identifier." """

    async def story(control: Control) -> None:
        control.publish(snapshot())
        stream = control.delta() if is_incremental else control.stream()
        await stream.start()
        assert control.fleet.nodes["envoy-1"].is_connected
        nobody: DeltaCaller | SotwCaller
        nobody = (
            DeltaCaller(control.call(stream_mode(stream)), None) if is_incremental else SotwCaller(control.call(), None)
        )
        await nobody.ask(CLUSTER)
        code, details = await nobody.ended_with()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "node.id" in details

    run(story)


def stream_mode(stream: DeltaCaller | SotwCaller) -> Mode:
    return Mode.DELTA if isinstance(stream, DeltaCaller) else Mode.SOTW


def test_nothing_is_sent_when_nothing_changed() -> None:
    """When to send an update: "The management server should only send updates to the Envoy client when the
    resources in the DiscoveryResponse have changed." Neither an ACK nor a publication is a change."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        streams = [control.stream("one"), control.delta("two")]
        for stream in streams:
            await stream.start()
        control.publish(snapshot())
        for stream in streams:
            assert await stream.is_silent()

    run(story)


def test_every_response_names_the_control_plane() -> None:
    """`control_plane.identifier`: for people who look into a proxy."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        answers: list[pb.DiscoveryResponse | pb.DeltaDiscoveryResponse] = []
        answers += (await control.stream("one").start()).values()
        answers += (await control.delta("two").start()).values()
        assert {answer.control_plane.identifier for answer in answers} == {"serinus"}

    run(story)


@pytest.mark.parametrize("is_incremental", [False, True])
def test_one_response_of_a_type_is_under_way_and_what_comes_meanwhile_is_merged(is_incremental: bool) -> None:
    """When to send an update: "the management server only needs to respond to the latest DiscoveryRequest on each
    stream for any given resource type." So a slow client grows no queue: it gets what is newest when it has
    answered."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a"))
        stream = control.delta() if is_incremental else control.stream()
        await stream.ask(CLUSTER)
        first = await stream.answer()
        for names in ("a b", "a c", "a d"):
            control.publish(snapshot(names))
        assert await stream.is_silent()
        await stream.ack(first)  # type: ignore[arg-type]
        answer = await stream.takes(CLUSTER)
        bodies = [item.resource.value if is_incremental else item.value for item in answer.resources]
        assert len(bodies) == (1 if is_incremental else 2), "b and c have come and gone"
        assert await stream.is_silent()

    run(story)
