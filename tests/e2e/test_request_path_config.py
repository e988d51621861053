"""How configuration reaches a real Envoy: refusals in its own words, restarts, and changes under load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.assemble import build
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST, ResourceSet, resource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.transition import Publication, accepted, step, whole
from tests.e2e.path_world import GROUP, World, at, until, world

pytestmark = pytest.mark.e2e


@contextlib.asynccontextmanager
async def _load(here: World) -> AsyncIterator[list[tuple[int, str | None]]]:
    """Clients that ask without a pause while something happens; (status, version) of every answer."""
    seen: list[tuple[int, str | None]] = []
    is_over = asyncio.Event()

    async def client(number: int) -> None:
        while not is_over.is_set():
            reply = await here.get({"x-user-id": f"u{number}"})
            seen.append((reply.status, reply.version))

    clients = [asyncio.create_task(client(number)) for number in range(4)]
    yield seen
    is_over.set()
    await asyncio.gather(*clients)


def _with_zero_weights(snapshot: Snapshot) -> Snapshot:
    """What no builder of ours makes: a weighted cluster of weight 0 in all."""
    weights = [route_v3.WeightedClusterClusterWeight(name="chat/v1", weight=0)]
    route = route_v3.Route(
        match=route_v3.RouteMatch(prefix="/"),
        route=route_v3.RouteAction(weighted_clusters=route_v3.WeightedCluster(clusters=weights)),
    )
    host = route_v3.VirtualHost(name="services/*", domains=["*"], routes=[route])
    body = bytes(route_v3.RouteConfiguration(name="services", virtual_hosts=[host]))
    inline = ResourceSet.of((resource("services", ROUTE, body, ("chat/v1",)),))
    discovered = ResourceSet.of((resource("services/*", VIRTUAL_HOST, bytes(host), ("chat/v1",)),))
    return Snapshot({**snapshot.types, ROUTE: inline}, {**snapshot.overlay, VIRTUAL_HOST: discovered})


@pytest.mark.parametrize(("mode", "kind"), [(Mode.SOTW, ROUTE), (Mode.DELTA, VIRTUAL_HOST)])
def test_a_refusal_is_kept_in_envoys_own_words_and_the_last_good_routes_go_on(mode: Mode, kind: str) -> None:
    async def story() -> None:
        async with world(mode=mode) as here:
            good = await here.publish(at(here.service(), 0))
            bad = _with_zero_weights(good)
            here.ads.publish(GROUP, bad)
            await until(lambda: bool(here.ads.fleet(GROUP).nacks()), "Envoy refuses")
            ((node_id, nack),) = here.ads.fleet(GROUP).nacks()
            assert (node_id, nack.type_url) == ("test-1", kind)
            assert "Sum of weights" in nack.message
            assert not here.ads.fleet(GROUP).has_accepted(bad)
            here.ads.publish(GROUP, bad)
            await asyncio.sleep(0.2)
            assert here.ads.nacks_total[kind] == 1, "what was refused is not sent again"
            assert (await here.get({"x-user-id": "u1"})).version == "v1"
            await here.publish(at(here.service(), 10_000))
            assert here.ads.fleet(GROUP).nacks() == ()
            assert (await here.get({"x-user-id": "u1"})).version == "v2"

    asyncio.run(story())


def test_a_restarted_control_plane_with_the_same_content_disturbs_nothing() -> None:
    async def story() -> None:
        async with world() as here:
            service = at(here.service(), 10_000)
            snapshot = await here.publish(service)
            async with _load(here) as seen:
                await here.ads_server.stop(None)
                await asyncio.sleep(0.3)
                await here.start_ads()
                await until(lambda: bool(here.ads.fleet(GROUP).connected), "Envoy is back")
                await asyncio.sleep(0.2)
                assert here.ads.pushes_total.total() == 0, "nothing is answered before the state is loaded"
                here.ads.publish(GROUP, build([service], here.gateway))
                await until(lambda: here.ads.fleet(GROUP).has_accepted(snapshot), "Envoy has it all")
                assert here.ads.pushes_total.total() == 0, "nor after: Envoy has this content"
            assert set(seen) == {(200, "v2")}
            await here.publish(at(here.service(), 0))
            assert (await here.get({"x-user-id": "u1"})).version == "v1"

    asyncio.run(story())


async def _publish(here: World, publication: Publication) -> None:
    clusters = tuple(publication.clusters.values())
    snapshot = build(list(publication.routes.values()), here.gateway, clusters=clusters)
    here.ads.publish(GROUP, snapshot)
    await until(lambda: here.ads.fleet(GROUP).has_accepted(snapshot), "Envoy accepts")


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("is_phased", [True, False], ids=["by phases", "at once"])
def test_all_versions_of_a_service_are_replaced_under_load_without_one_failure(is_phased: bool, mode: Mode) -> None:
    """Make before break: by the engine's phases, and by the stream itself for a proxy that missed them."""

    async def story() -> None:
        async with world(mode=mode) as here:
            both = here.service()
            v1, v2 = both.spec.versions
            only = {
                version.name: replace(
                    both, spec=both.spec.model_copy(update={"versions": (version,)}), baseline=version.name
                )
                for version in (v1, v2)
            }
            await here.publish(only["v1"])
            publication = whole([only["v1"]])
            async with _load(here) as seen:
                for name in ("v2", "v1", "v2"):
                    while is_phased:
                        publication = step(publication, [only[name]], accepted(publication))
                        if publication.is_whole:
                            break
                        await _publish(here, publication)
                    await here.publish(only[name])
                    assert (await here.get({"x-user-id": "u1"})).version == name
                # One version, and the three of the bootstrap: the old ones have gone, after their time of grace.
                await here.until_stat("cluster_manager.active_clusters", 1 + 3)
            assert {status for status, _ in seen} == {200}
            assert len(seen) > 50

    asyncio.run(story())


def test_a_stream_in_flight_outlives_its_cluster() -> None:
    """On a rollback, and when a version is taken away, streams in flight finish."""

    async def story() -> None:
        async with world() as here:
            both = here.service()
            await here.publish(replace(both, baseline="v1"))
            stream = asyncio.create_task(here.get({"x-user-id": "u1"}, path="/stream?pause_s=2.0"))
            await until(lambda: bool(here.upstreams["v1"].requests), "the stream has begun")
            only_v2 = both.spec.model_copy(update={"versions": both.spec.versions[1:]})
            await here.publish(replace(both, spec=only_v2, baseline="v2"))
            await here.until_stat("cluster_manager.cluster_removed", 1)
            assert not stream.done(), "the cluster went while the stream was still running"
            reply = await stream
            assert (reply.status, reply.version) == (200, "v1")
            assert reply.body.endswith("data: [DONE]\n\n")

    asyncio.run(story())


def test_a_change_of_the_sticky_header_reaches_connections_that_are_open() -> None:
    """The tag filter's config is a resource of its own: no listener is drained, no connection closed."""

    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(), 5_000))
            await here.until_tagging()
            await here.get({"x-user-id": "u1"})
            await here.publish(at(here.service(sticky={"cookie": "session"}), 5_000))
            await here.get({"cookie": "session=u1"})
            last = here.sidecar.seen.messages[-1].request_headers.headers.headers
            assert {header.key: header.raw_value for header in last} == {"cookie": b"session=u1"}
            assert await here.stat("http.serinus.downstream_cx_total") == 1
            assert await here.stat("http.serinus.ext_proc.tag.streams_started") == 2

    asyncio.run(story())


def test_envoy_and_the_control_plane_prove_themselves_to_each_other() -> None:
    async def story() -> None:
        async with world(has_tls=True) as here:
            await here.publish(here.service())
            assert (await here.get({"x-user-id": "u1"})).version == "v1"
            assert await here.stat("cluster.xds.ssl.handshake") == 1

    asyncio.run(story())


def test_envoy_does_not_talk_to_a_control_plane_whose_certificate_is_for_another_address() -> None:
    async def story() -> None:
        async with world(has_tls=True, xds_host="127.0.0.2") as here:
            here.ads.publish(GROUP, build([here.service()], here.gateway))
            await here.until_counted("cluster.xds.ssl.fail_verify_san")
            assert here.ads.fleet(GROUP).nodes == {}

    asyncio.run(story())
