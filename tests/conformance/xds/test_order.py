"""Eventual consistency without a gap (rows 19-21 of docs/xds.md): make before break on every stream, in both modes."""

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from tests.unit.controlplane.xds.ads_client import Control, run
from tests.unit.controlplane.xds.factory import snapshot


def test_types_come_in_the_order_in_which_they_need_each_other() -> None:
    """Eventual consistency considerations: "CDS updates (if any) must always be pushed first. EDS updates (if any)
    must arrive after CDS updates for the respective clusters. LDS updates must arrive after corresponding CDS/EDS
    updates. RDS updates … must arrive after CDS/EDS/LDS updates." """

    async def story(control: Control) -> None:
        control.publish(snapshot({"a": "1"}, endpoints={"a": "1"}))
        stream = control.stream()
        for url, names in ((CLUSTER, ()), (ENDPOINT, ("a",)), (LISTENER, ()), (ROUTE, ("services", "other"))):
            await stream.accepted(url, *names)
        control.publish(snapshot({"a": "2"}, {"services": "a", "other": "a"}, listener="2", endpoints={"a": "2"}))
        order = []
        for _ in range(4):
            answer = await stream.answer()
            order.append(answer.type_url)
            await stream.ack(answer)
        assert order == [CLUSTER, ENDPOINT, LISTENER, ROUTE]

    run(story)


def test_endpoints_follow_each_change_of_their_cluster_although_they_did_not_change() -> None:
    """Resource warming: "Warming of Cluster is completed only when a new ClusterLoadAssignment response is supplied
    by management server even though there is no change in endpoints." Envoy repeats its request over the state of
    the world, and asks for nothing over incremental streams."""

    async def story(control: Control) -> None:
        control.publish(snapshot({"a": "1", "b": "1"}, endpoints="a b"))
        stream, delta = control.stream("sotw"), control.delta("delta")
        for each in (stream, delta):
            await each.accepted(CLUSTER)
            await each.accepted(ENDPOINT, "a", "b")
        control.publish(snapshot({"a": "2", "b": "1"}, endpoints="a b"))
        assert (await stream.answer()).type_url == CLUSTER
        endpoints = await stream.answer()
        assert (endpoints.type_url, len(endpoints.resources)) == (ENDPOINT, 1)
        assert (await delta.answer()).type_url == CLUSTER
        again = await delta.answer()
        assert (again.type_url, [item.name for item in again.resources]) == (ENDPOINT, ["a"])

    run(story)


def test_a_route_waits_until_its_cluster_is_warm_and_a_cluster_until_its_route_is_gone() -> None:
    """Eventual consistency considerations: "routes are not warmed, i.e., the management plane must ensure that
    clusters referenced by a route are in place, before pushing the updates for a route." The answer to clusters
    means that they are warm. "Stale CDS clusters … can then be removed", after a time of grace."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes="a"))
        stream = control.stream()
        await stream.start()
        control.publish(snapshot("b", routes="b"))
        clusters = await stream.answer()
        assert (clusters.type_url, len(clusters.resources)) == (CLUSTER, 2)
        assert await stream.is_silent(), "the new cluster is not warm yet"
        await stream.ack(clusters)
        await stream.takes(ROUTE)
        last = await stream.takes(CLUSTER)
        assert len(last.resources) == 1

    run(story, cluster_linger_s=0.05)


def test_incremental_a_host_waits_for_its_own_clusters_and_for_no_others() -> None:
    """Eventual consistency considerations, as above, for virtual hosts: one whose cluster still warms delays no
    other, a rollback least of all."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a", hosts={"x": "a", "y": "a"}))
        stream = control.delta()
        await stream.accepted(CLUSTER)
        await stream.accepted(VIRTUAL_HOST)
        control.publish(snapshot("a b", hosts={"x": "b", "y": "a"}))
        clusters = await stream.answer()
        assert clusters.type_url == CLUSTER
        assert await stream.is_silent()
        control.publish(snapshot("a b c", hosts={"x": "b", "y": "a", "z": "a"}))
        hosts = await stream.takes(VIRTUAL_HOST)
        assert [item.name for item in hosts.resources] == ["services/z"]
        await stream.ack(clusters)
        kinds = {(await stream.answer()).type_url for _ in range(2)}
        assert kinds == {CLUSTER, VIRTUAL_HOST}

    run(story)


def test_a_client_that_comes_back_with_clusters_last_is_brought_to_the_target() -> None:
    """ACK/NACK and resource type instance version: on a new stream a client "should indicate the most recent
    version seen by the client on the previous stream". Envoy does so in any order (EDS, LDS, RDS, CDS was seen): no
    type waits for another to be asked first."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a", endpoints="a"))
        before = control.stream("before")
        held = {CLUSTER: await before.accepted(CLUSTER), ENDPOINT: await before.accepted(ENDPOINT, "a")}
        held |= {LISTENER: await before.accepted(LISTENER), ROUTE: await before.accepted(ROUTE, "services")}
        target = snapshot("a b", routes="b", endpoints="a b", listener="2")
        control.publish(target)
        after = control.stream("after")
        for url, names in ((ENDPOINT, ("a",)), (LISTENER, ()), (ROUTE, ("services",)), (CLUSTER, ())):
            await after.ask(url, *names, version=held[url].version_info)
        seen = []
        while ROUTE not in seen:
            answer = await after.answer()
            seen.append(answer.type_url)
            await after.ack(answer)
        assert seen.index(CLUSTER) < seen.index(ROUTE)
        await control.until(lambda: control.fleet.nodes["after"].accepted.get(ROUTE) == target.versions[ROUTE])

    run(story)


def test_a_client_that_missed_a_publication_keeps_its_clusters_until_its_routes_have_moved() -> None:
    """Eventual consistency considerations: "a CDS/EDS update with both X and Y, then the RDS update repointing from
    X to Y and then a CDS/EDS update dropping X", also for a proxy that was away and whose routes name a cluster of
    no snapshot."""

    async def story(control: Control) -> None:
        control.publish(snapshot("a", routes="a"))
        before = await control.stream("proxy").start()
        control.publish(snapshot("b", routes="b"))
        stream = control.stream("other")
        await stream.ask(CLUSTER, version=before[CLUSTER].version_info)
        clusters = await stream.answer()
        assert len(clusters.resources) == 2, "its routes are not told yet: they may name a"
        await stream.ack(clusters)
        await stream.ask(ROUTE, "services", version=before[ROUTE].version_info)
        await stream.takes(ROUTE)
        assert len((await stream.takes(CLUSTER)).resources) == 1

    run(story, cluster_linger_s=0.05)
