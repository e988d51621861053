"""Who traces requests finds its headers at the model server byte for byte as the client has sent them: through Envoy, the
sidecar and the choice of a version, for whole answers and streams, observed or not."""

import asyncio

import pytest

from tests.e2e.path_world import World, at, world

pytestmark = pytest.mark.e2e

# W3C Trace Context and Baggage, B3 in both forms, and what is no valid trace at all: none of our business either.
SENT = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE, vendor@tenant=a:b;c",
    "baggage": "userId=alice%20b,serverNode=DF%2028;prop=1 , isProduction=false",
    "b3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
    "x-b3-traceid": "463ac35c9f6413ad48485a3953bb6124",
    "x-b3-spanid": "a2fb4a1d1a96d312",
    "x-b3-sampled": "0",
    "x-datadog-trace-id": "7277407061855694839",
    "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678;Sampled=1",
}
BROKEN = {"traceparent": "00-nonsense", "tracestate": "=,,=", "b3": "x"}
USERS = 12


async def arrived(here: World, sent: dict[str, str], path: str) -> None:
    for upstream in here.upstreams.values():
        upstream.requests.clear()
    for number in range(USERS):
        reply = await here.get({"x-user-id": f"u{number}", **sent}, path)
        assert reply.status == 200, reply
    for version, upstream in here.upstreams.items():
        assert upstream.requests, f"nobody came to {version}"
        for got in upstream.requests:
            assert {name: got.get(name) for name in sent} == sent, (version, path)


@pytest.mark.parametrize("observe", [True, False], ids=["observed", "not observed"])
def test_trace_headers_arrive_as_they_were_sent_at_both_versions(observe: bool) -> None:
    async def story() -> None:
        async with world(workers=1) as here:
            service = here.service(protocol="openai", observe={"body": observe})
            await here.publish(at(service, 5_000))
            await here.until_tagging()
            for path in ("/v1/whole", "/v1/stream"):
                await arrived(here, SENT, path)
                await arrived(here, BROKEN, path)

    asyncio.run(asyncio.wait_for(story(), 60))


def test_nobody_who_sent_no_trace_gets_one() -> None:
    async def story() -> None:
        async with world(workers=1) as here:
            await here.publish(at(here.service(), 5_000))
            await here.until_tagging()
            await arrived(here, {}, "/")
            for upstream in here.upstreams.values():
                assert not [name for got in upstream.requests for name in got if name in SENT]

    asyncio.run(asyncio.wait_for(story(), 60))
