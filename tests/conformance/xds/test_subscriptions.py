"""What a client wants, and what it is told of it (rows 8-12, 14-18, 22, 24 of docs/xds.md)."""

from controlplane.snapshot.resource import CLUSTER, EXTENSION, ROUTE, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.xds.ads_client import Control, run
from tests.unit.controlplane.xds.factory import snapshot


def _routes(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "a")


def test_a_first_request_without_names_wants_everything() -> None:
    """How the client specifies what resources to return: a client that "has never explicitly subscribed to any
    resource names" is treated as one that "explicitly subscribed to "*"", for listeners and clusters. For other
    types, empty "means that the client is no longer interested in any resources of the specified type"."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.stream()
        assert len((await stream.accepted(CLUSTER)).resources) == 2
        await stream.ask(ROUTE)
        assert await stream.is_silent()

    run(story)


def test_after_an_explicit_name_an_empty_list_wants_nothing() -> None:
    """How the client specifies what resources to return: once a name was given, "clearing the list of subscribed
    resources is interpretted as an unsubscription … rather than as a subscription to "*""."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.stream()
        answer = await stream.accepted(CLUSTER, "a")
        await stream.ask(CLUSTER, nonce=answer.nonce)
        control.publish(snapshot("a b c"))
        assert await stream.is_silent()

    run(story)


def test_a_star_and_a_name_stand_side_by_side_and_each_may_be_dropped() -> None:
    """How the client specifies what resources to return: "Server interprets this as unsubscribing to "*" and
    continuing the existing subscription to "A"", and the other way round."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        both, star = control.stream("both"), control.stream("star")
        answer = await both.accepted(CLUSTER, "*", "a")
        assert len(answer.resources) == 2
        await both.ask(CLUSTER, "a", nonce=answer.nonce)
        answer = await star.accepted(CLUSTER, "*", "a")
        await star.ask(CLUSTER, "*", nonce=answer.nonce)
        assert await star.is_silent()
        control.publish(snapshot("a b c"))
        assert len((await star.takes(CLUSTER)).resources) == 3
        assert await both.is_silent()

    run(story)


def test_state_of_the_world_clusters_are_told_whole_and_absence_deletes() -> None:
    """Grouping Resources into Responses: for listeners and clusters "the server must include the complete state of
    the world". Deleting Resources: "if a previously seen resource is not present in a new response, that indicates
    that the resource has been removed". Duplicate Resource Names: none stands in a response twice."""

    async def story(control: Control) -> None:
        control.publish(snapshot({"a": "of a", "b": "of b", "c": "of c"}))
        stream = control.stream()
        await stream.accepted(CLUSTER)
        control.publish(snapshot({"a": "of a", "c": "other"}))
        bodies = [item.value for item in (await stream.takes(CLUSTER)).resources]
        assert bodies == [b"of a", b"other"]
        control.publish(snapshot("", routes=""))
        assert len((await stream.takes(CLUSTER)).resources) == 0

    run(story)


def test_a_name_that_is_asked_for_anew_is_sent_although_its_version_is_the_same() -> None:
    """How the client specifies what resources to return: "the server must resend any newly requested resources,
    even if … the resources have not changed since that time". Incremental, Subscribing to Resources: "the client
    may have "forgotten" those resources despite apparently remaining subscribed." """

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes=_routes("services", "other")))
        stream, delta = control.stream("sotw"), control.delta("delta")
        await stream.accepted(CLUSTER)
        answer = await stream.accepted(ROUTE, "services", "other")
        await stream.ask(ROUTE, "services", version=answer.version_info, nonce=answer.nonce)
        assert await stream.is_silent()
        await stream.ask(ROUTE, "services", "other", version=answer.version_info, nonce=answer.nonce)
        assert len((await stream.takes(ROUTE)).resources) == 1
        await delta.accepted(CLUSTER)
        await delta.accepted(ROUTE, "services")
        await delta.ask(ROUTE, "services")
        assert [item.name for item in (await delta.takes(ROUTE)).resources] == ["services"]

    run(story)


def test_a_name_that_does_not_exist_is_remembered_and_sent_when_it_appears() -> None:
    """Knowing When a Requested Resource Does Not Exist: "Management servers must remember the set of resources
    being requested by the client, and if one of those resources springs into existence later, the server must send
    an update"."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a"))
        stream, delta = control.stream("sotw"), control.delta("delta")
        await stream.accepted(CLUSTER)
        await stream.ask(ROUTE, "later")
        assert await stream.is_silent()
        await delta.accepted(CLUSTER)
        await delta.accepted(ROUTE, "later")
        control.publish(snapshot("a", routes=_routes("services", "later")))
        assert len((await stream.takes(ROUTE)).resources) == 1
        assert [item.name for item in (await delta.takes(ROUTE)).resources] == ["later"]

    run(story)


def test_incremental_what_is_gone_is_told_by_name() -> None:
    """Deleting Resources: "the server signals the client that a resource should be deleted via the
    removed_resources field of the response." Grouping Resources into Responses: it "does not need to resend the 99
    resources that have not changed"."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.delta()
        await stream.accepted(CLUSTER)
        control.publish(snapshot({"a": "2"}))
        answer = await stream.takes(CLUSTER)
        assert ([item.name for item in answer.resources], list(answer.removed_resources)) == (["a"], ["b"])

    run(story)


def test_incremental_a_name_that_does_not_exist_is_told_as_removed() -> None:
    """Knowing When a Requested Resource Does Not Exist: "the server will send a DeltaDiscoveryResponse message that
    contains that resource's name in the removed_resources field." """

    async def story(control: Control) -> None:
        control.publish(snapshot("a"))
        stream = control.delta()
        answer = await stream.accepted(CLUSTER, "nowhere")
        assert (list(answer.resources), list(answer.removed_resources)) == ([], ["nowhere"])

    run(story)


def test_incremental_a_name_dropped_beside_a_wildcard_is_answered() -> None:
    """Unsubscribing from Resources: "the server must send a response that includes the specific resource in either
    the removed_resources field (if it is not included in the wildcard) or in the resources field (if it *is*
    included in the wildcard)." """

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.delta()
        await stream.accepted(CLUSTER, "*", "a", "nowhere")
        await stream.ask(CLUSTER, drop=("a", "nowhere"))
        answer = await stream.takes(CLUSTER)
        assert ([item.name for item in answer.resources], list(answer.removed_resources)) == (["a"], ["nowhere"])

    run(story)


def test_incremental_dropping_what_was_never_wanted_changes_nothing() -> None:
    """Unsubscribing from Resources: "The server must cleanly process such a request; it can simply ignore these
    phantom unsubscriptions." """

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes=_routes("services", "other")))
        stream = control.delta()
        await stream.accepted(CLUSTER)
        await stream.accepted(ROUTE, "services")
        await stream.ask(ROUTE, drop=("other",))
        assert await stream.is_silent()
        control.publish(snapshot("a b", routes={"services": "a b", "other": "a"}))
        await stream.takes(CLUSTER)
        assert [item.name for item in (await stream.takes(ROUTE)).resources] == ["services"]

    run(story)


def test_incremental_a_client_that_comes_back_gets_the_difference_and_the_removals() -> None:
    """Incremental xDS: "On reconnect the Incremental xDS client may tell the server of its known resources to avoid
    resending them over the network by sending them in initial_resource_versions." """

    async def story(control: Control) -> None:
        control.publish(snapshot("a b c"))
        first = await control.delta("before").accepted(CLUSTER)
        held = {item.name: item.version for item in first.resources}
        control.publish(snapshot({"a": "1", "b": "2", "d": "1"}))
        stream = control.delta("after")
        await stream.ask(CLUSTER, initial=held)
        answer = await stream.answer()
        changed = {item.name for item in answer.resources}
        assert changed == {"b", "d"}
        assert set(answer.removed_resources) <= {"c"}, "c goes now, or when the routes are known that may name it"
        await stream.ack(answer)
        await stream.accepted(ROUTE, "services")
        if not answer.removed_resources:
            assert list((await stream.takes(CLUSTER)).removed_resources) == ["c"]

    run(story)


def test_incremental_a_client_that_has_everything_is_sent_nothing() -> None:
    """Incremental xDS, as above, and the same after a restart of the control plane: versions are hashes of content."""
    held: dict[str, dict[str, str]] = {}

    async def before(control: Control) -> None:
        control.publish(snapshot())
        for url, answer in (await control.delta().start()).items():
            held[url] = {item.name: item.version for item in answer.resources}

    async def after(control: Control) -> None:
        control.publish(snapshot())
        stream = control.delta()
        for url, versions in held.items():
            await stream.ask(url, *(("services",) if url == ROUTE else ()), initial=versions)
        assert await stream.is_silent()
        assert control.fleet.has_accepted(snapshot())

    run(before)
    run(after)


def test_incremental_after_a_refusal_of_clusters_what_a_client_brings_is_not_trusted() -> None:
    """Measured on Envoy 1.40: of a response with one bad cluster it takes the others in, and tells the versions of
    before it in `initial_resource_versions` on its next stream."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a b"))
        stream = control.delta()
        before = {item.name: item.version for item in (await stream.accepted(CLUSTER)).resources}
        control.publish(snapshot({"a": "bad", "b": "2"}))
        await stream.nack(await stream.answer(), "Error adding/updating cluster(s) a: bad")
        await control.until(lambda: bool(control.fleet.nacks()))
        await stream.call.done_writing()
        await control.until(lambda: control.ads.stream_count == 0)
        control.publish(snapshot("a b"))
        again = control.delta()
        await again.ask(CLUSTER, initial=before)
        assert {item.name for item in (await again.takes(CLUSTER)).resources} == {"a", "b"}

    run(story)


def test_no_resource_has_a_time_to_live() -> None:
    """TTL: "For clients that support the *xds.config.supports-resource-ttl* client feature, A TTL field may be
    specified". Envoy 1.40 does not say that it does, and nothing of ours expires: state-of-the-world resources are
    never wrapped, incremental ones carry name, version and body alone."""

    async def story(control: Control) -> None:
        control.publish(snapshot())
        answer = await control.stream("sotw").accepted(CLUSTER)
        assert {item.type_url for item in answer.resources} == {CLUSTER}
        (item,) = (await control.delta("delta").accepted(CLUSTER)).resources
        assert item.ByteSize() == item.FromString(item.SerializeToString()).ByteSize()
        assert {field.name for field, _ in item.ListFields()} == {"name", "version", "resource"}
        assert not item.resource.type_url.endswith("Resource")

    run(story)


def test_filter_configs_are_served_and_never_taken_away() -> None:
    """ECDS: a listener that names a config which is removed fails."""
    config = ResourceSet.of((resource("serinus.tag", EXTENSION, b"config"),))

    async def story(control: Control) -> None:
        control.publish(Snapshot({**snapshot().types, EXTENSION: config}))
        stream, delta = control.stream("sotw"), control.delta("delta")
        assert len((await stream.accepted(EXTENSION, "serinus.tag")).resources) == 1
        assert len((await delta.accepted(EXTENSION, "serinus.tag")).resources) == 1
        control.publish(snapshot())
        assert await stream.is_silent()
        assert await delta.is_silent()

    run(story)
