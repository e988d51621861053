"""Every kind of upstream through a real Envoy, over both modes of xDS: what a version's manifest says is what its servers get."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import grpc
import pytest

from controlplane.security.ca import Authority, issue_client, issue_server, make_authority
from controlplane.snapshot.mode import Mode
from tests.e2e.upstream_servers import ECHO_STREAM, ECHO_UNARY, serve_grpc, server_tls
from tests.e2e.upstream_world import NOW_MS, Here, upstream_world
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.e2e
# A connection a request: a test sees at once what a new connection does.
ONE_REQUEST = {"requests_max": 1}


@pytest.fixture(scope="module", params=list(Mode))
def here(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[Here]:
    stack = contextlib.AsyncExitStack()
    world = runner.run(stack.enter_async_context(upstream_world(request.param)))
    yield Here(runner, world, stack)
    runner.run(stack.aclose())


def test_an_http_server_with_an_address_is_reached_and_its_endpoints_change_without_its_cluster(here: Here) -> None:
    async def story() -> None:
        first, second = await here.server("first"), await here.server("second")
        cluster = await here.world.serve("plain", {"endpoints": [first.endpoint], "health": {"path": "/health"}})
        assert (await here.world.get("plain")).body == "first"
        added = await here.world.stat("cluster_manager.cluster_added")
        modified = await here.world.stat("cluster_manager.cluster_modified")
        asking = asyncio.create_task(_ask_until(here, "plain", "second"))
        await here.world.serve("plain", {"endpoints": [second.endpoint], "health": {"path": "/health"}})
        statuses = await asking
        assert set(statuses) == {200}
        assert await here.world.stat(f"cluster.{cluster}.membership_total") == 1
        assert await here.world.stat("cluster_manager.cluster_added") == added
        assert await here.world.stat("cluster_manager.cluster_modified") == modified

    here.run(story())


async def _ask_until(here: Here, name: str, body: str) -> list[int]:
    """Without a pause, until a server answers with that; the status of every answer."""
    statuses = []
    while True:
        reply = await here.world.get(name)
        statuses.append(reply.status)
        if reply.body == body:
            return statuses


def test_a_stream_of_events_arrives_as_it_is_made(here: Here) -> None:
    async def story() -> None:
        server = await here.server()
        await here.world.serve("sse", {"endpoints": [server.endpoint]}, protocol="openai")
        async with here.world.request("sse", "/stream") as response:
            assert await response.content.readuntil(b"\n\n") == b"data: first\n\n"
            server.gate.set()
            assert await response.content.read() == b"data: [DONE]\n\n"

    here.run(story())


@pytest.mark.parametrize("protocol", ["http/2", "auto"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["clear", "tls"])
def test_grpc_calls_streams_and_trailers_pass(here: Here, protocol: str, is_secure: bool) -> None:
    async def story() -> None:
        issued = issue_server(here.authority, hosts=[], now_ms=NOW_MS) if is_secure else None
        port = await serve_grpc(here.stack, issued)
        here.world.files["ca.pem"] = here.authority.issued.cert_pem
        version = {
            "endpoints": [f"127.0.0.1:{port}"],
            "connection": {"protocol": protocol},
            "health": {"grpc": True, "interval": "200ms"},
            **({"tls": {"ca": "ca.pem"}} if is_secure else {}),
        }
        name = f"grpc-{protocol.replace('/', '')}-{'tls' if is_secure else 'clear'}"
        cluster = await here.world.serve(name, version)
        await here.until_stat(f"cluster.{cluster}.membership_healthy", 1)
        async with here.world.channel(name) as channel:
            call = channel.unary_unary(ECHO_UNARY)(b"hello")
            assert await call == b"hello"
            assert ("x-said", "5") in [tuple(pair) for pair in await call.trailing_metadata()]
            stream = channel.stream_stream(ECHO_STREAM)()
            for word in (b"one", b"two"):
                await stream.write(word)
                assert await stream.read() == word
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF

    here.run(story())


def test_a_server_is_spoken_to_in_the_clients_protocol_where_that_is_asked(here: Here) -> None:
    async def story() -> None:
        server = await here.server("plain")
        await here.world.serve("auto", {"endpoints": [server.endpoint], "connection": {"protocol": "auto"}})
        assert (await here.world.get("auto")).body == "plain"

    here.run(story())


def test_a_web_socket_is_passed_on_where_the_service_allows_it(here: Here) -> None:
    async def story() -> None:
        server = await here.server()
        await here.world.serve("socket", {"endpoints": [server.endpoint]}, upgrades=["websocket"])
        await here.world.serve("nosocket", {"endpoints": [server.endpoint]})
        url = here.world.url("/socket")
        async with here.world.path.client.ws_connect(url, headers={"host": "socket.test"}) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "echo hello"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.world.path.client.ws_connect(url, headers={"host": "nosocket.test"})
        assert refused.value.status == 403

    here.run(story())


@pytest.mark.parametrize("endpoint", ["127.0.0.1", "localhost"])
def test_a_server_is_verified_by_its_ca_and_by_its_own_name_or_address(here: Here, endpoint: str) -> None:
    async def story() -> None:
        server = await here.server("secure", tls=server_tls(here.authority, NOW_MS))
        here.world.files["ca.pem"] = here.authority.issued.cert_pem
        version = {"endpoints": [f"{endpoint}:{server.port}"], "health": {"path": "/health", "interval": "200ms"}}
        cluster = await here.world.serve("tls", {**version, "tls": {"ca": "ca.pem"}})
        await here.until_stat(f"cluster.{cluster}.membership_healthy", 1)
        reply = await here.world.get("tls")
        assert (reply.status, reply.body) == (200, "secure")

    here.run(story())


@pytest.mark.parametrize(
    ("tls", "counter"),
    [
        ({"ca": "ca.pem", "names": ["models.example.com"]}, "fail_verify_san"),
        ({"ca": "other.pem"}, "fail_verify_error"),
    ],
)
def test_a_server_with_another_name_or_of_another_ca_gets_no_request(
    here: Here, tls: dict[str, Any], counter: str
) -> None:
    async def story() -> None:
        server = await here.server("secure", tls=server_tls(here.authority, NOW_MS))
        here.world.files["ca.pem"] = here.authority.issued.cert_pem
        here.world.files["other.pem"] = make_authority(now_ms=NOW_MS, days=1).issued.cert_pem
        name = counter.replace("_", "-")
        cluster = await here.world.serve(
            name, {"endpoints": [server.endpoint], "health": {"path": "/health", "interval": "200ms"}, "tls": tls}
        )
        assert (await here.world.get(name)).status == 503
        assert await here.world.stat(f"cluster.{cluster}.ssl.{counter}") > 0
        assert server.requests == []

    here.run(story())


def test_a_client_certificate_is_shown_and_a_renewed_one_needs_no_new_cluster(here: Here) -> None:
    async def story() -> None:
        clients = make_authority(now_ms=NOW_MS, days=1)
        server = await here.server(tls=server_tls(here.authority, NOW_MS, clients))
        here.world.files["ca.pem"] = here.authority.issued.cert_pem
        _put_certificate(here, clients, "first")
        version = {
            "endpoints": [server.endpoint],
            "tls": {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"},
            "connection": ONE_REQUEST,
        }
        cluster = await here.world.serve("mtls", version)
        assert (await here.world.get("mtls")).status == 200
        modified = await here.world.stat("cluster_manager.cluster_modified")
        _put_certificate(here, clients, "second")
        await here.world.publish()
        assert (await here.world.get("mtls")).status == 200
        assert server.clients == ["serinus first", "serinus second"]
        assert await here.world.stat("cluster_manager.cluster_modified") == modified
        assert await here.world.stat(f"cluster.{cluster}.client_ssl_socket_factory.ssl_context_update_by_sds") >= 1

    here.run(story())


def _put_certificate(here: Here, clients: Authority, name: str) -> None:
    issued = issue_client(clients, name, now_ms=NOW_MS)
    here.world.files.update({"client.pem": issued.cert_pem, "client.key": issued.key_pem})


def test_a_credential_replaces_the_clients_and_a_renewed_one_takes_its_place(here: Here) -> None:
    async def story() -> None:
        server, plain = await here.server(), await here.server()
        here.world.files.update({"token": b"sk-one\n", "key": b"k-1"})
        await here.world.serve("token", {"endpoints": [server.endpoint], "auth": {"file": "token"}})
        api_key = {"header": "x-api-key", "file": "key"}
        await here.world.serve("key", {"endpoints": [plain.endpoint], "auth": api_key})
        mine = {"authorization": "Bearer mine", "x-api-key": "mine"}
        assert (await here.world.get("token", headers=mine)).status == 200
        assert (await here.world.get("key", headers=mine)).status == 200
        here.world.files["token"] = b"sk-two\n"
        await here.world.publish()
        assert (await here.world.get("token")).status == 200
        assert [request["authorization"] for request in server.requests] == ["Bearer sk-one", "Bearer sk-two"]
        assert server.requests[0]["x-api-key"] == "mine"
        assert [request["x-api-key"] for request in plain.requests] == ["k-1"]

    here.run(story())


def test_names_are_resolved(here: Here) -> None:
    async def story() -> None:
        server = await here.server("named")
        version = {"endpoints": [f"localhost:{server.port}"], "dns": {"refresh": "1s", "family": "v4"}}
        await here.world.serve("dns", version)
        assert (await here.world.get("dns")).body == "named"

    here.run(story())


def test_localities_share_by_weight_and_the_next_priority_steps_in(here: Here) -> None:
    async def story() -> None:
        near, far, spare = await here.server("near"), await here.server("far"), await here.server("spare")
        places = [
            {"zone": "a", "weight": 80, "endpoints": [near.endpoint]},
            {"zone": "b", "weight": 20, "endpoints": [far.endpoint]},
            {"zone": "c", "weight": 1, "priority": 1, "endpoints": [spare.endpoint]},
        ]
        await here.world.serve("zones", {"localities": places, "slow_start": "1s"})
        seen = Counter([(await here.world.get("zones")).body for _ in range(300)])
        assert set(seen) == {"near", "far"}
        # Binomial(300, 0.2): outside of 30..95 with probability 1e-6.
        assert 30 <= seen["far"] <= 95
        away = [{**place, "endpoints": [f"127.0.0.1:{free_port()}"]} for place in places[:2]]
        cluster = await here.world.serve("zones", {"localities": [*away, places[2]], "slow_start": "1s"})
        await here.until_stat(f"cluster.{cluster}.membership_healthy", 1)
        assert (await here.world.get("zones")).body == "spare"

    here.run(story())


def test_requests_over_the_limit_are_refused_at_once(here: Here) -> None:
    async def story() -> None:
        server = await here.server()
        cluster = await here.world.serve("limited", {"endpoints": [server.endpoint]}, limits={"v1": {"concurrent": 2}})
        running = [asyncio.create_task(here.world.get("limited", "/wait")) for _ in range(2)]
        await until(lambda: server.waiting == 2, "two requests run")
        refused = await here.world.get("limited")
        assert (refused.status, refused.headers.get("x-envoy-overloaded")) == (503, "true")
        server.gate.set()
        assert [(await each).status for each in running] == [200, 200]
        assert (await here.world.get("limited")).status == 200
        assert await here.world.stat(f"cluster.{cluster}.upstream_rq_active_overflow") == 1

    here.run(story())


def test_a_server_that_fails_again_and_again_is_left_out_though_its_health_check_passes(here: Here) -> None:
    async def story() -> None:
        good, bad = await here.server("good"), await here.server("bad")
        version = {
            "endpoints": [good.endpoint, bad.endpoint],
            "health": {"path": "/health", "interval": "200ms"},
            "outlier": {"consecutive_5xx": 3, "interval": "100ms", "ejection": "30s", "max_ejected": "50%"},
        }
        cluster = await here.world.serve("outlier", version)
        await here.until_stat(f"cluster.{cluster}.membership_healthy", 2)
        bad.is_broken = True
        while len(bad.requests) < 3:
            await here.world.get("outlier")
        await here.until_stat(f"cluster.{cluster}.outlier_detection.ejections_active", 1)
        await asyncio.sleep(0.5)  # two rounds of health checks, which the ejected server passes
        assert {(await here.world.get("outlier")).status for _ in range(20)} == {200}
        assert await here.world.stat(f"cluster.{cluster}.outlier_detection.ejections_active") == 1

    here.run(story())


@pytest.mark.parametrize(
    ("max_ejected", "counted", "status"), [("99%", "ejections_overflow", 500), ("100%", "ejections_active", 503)]
)
def test_the_only_server_is_left_out_only_if_all_may_be(
    here: Here, max_ejected: str, counted: str, status: int
) -> None:
    async def story() -> None:
        server = await here.server()
        server.is_broken = True
        outlier = {"consecutive_5xx": 2, "interval": "100ms", "max_ejected": max_ejected}
        name = f"only-{status}"
        cluster = await here.world.serve(name, {"endpoints": [server.endpoint], "outlier": outlier})
        assert [(await here.world.get(name)).status for _ in range(2)] == [500, 500]
        await here.until_stat(f"cluster.{cluster}.outlier_detection.{counted}", 1)
        assert (await here.world.get(name)).status == status

    here.run(story())
