"""As many header bytes as Envoy takes at all (60 KiB): the request is read, tagged and sent on; more is Envoy's 431."""

import asyncio

import pytest

from tests.e2e.path_world import at, world

pytestmark = pytest.mark.e2e

GOLD = {"name": "gold", "match": {"cookie": {"name": "plan", "exact": "gold"}}, "pin": "candidate"}
# With the rest of the request just under Envoy's 60 KiB.
COOKIE_BYTES = 60_000


def cookie(size: int, last: str) -> str:
    """Many cookies, of which only the last one counts."""
    filler = "; ".join(f"c{number}={'x' * 90}" for number in range(size // 98))
    return f"{filler}; {last}"


def test_sixty_kilobytes_of_headers_are_read_to_the_last_cookie() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(cohorts=[GOLD]), 0))
            await here.until_tagging()
            for last, version in (("plan=gold", "v2"), ("plan=goldish", "v1")):
                before = len(here.sidecar.seen.messages)
                reply = await here.get({"x-user-id": "u1", "cookie": cookie(COOKIE_BYTES, last)})
                assert (reply.status, reply.version) == (200, version)
                assert len(here.sidecar.seen.messages) == before + 1
            assert here.sidecar.requests.values == {("pinned",): 1, ("tagged",): 1}
            reply = await here.get({"x-user-id": "u1", "cookie": cookie(70_000, "plan=gold")})
            assert reply.status == 431
            assert here.sidecar.requests.values == {("pinned",): 1, ("tagged",): 1}
            assert (await here.get({"x-user-id": "u1"})).status == 200

    asyncio.run(story())


def test_many_headers_that_no_policy_reads_never_reach_the_sidecar() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(), 10_000))
            await here.until_tagging()
            reply = await here.get({"x-user-id": "u1", **{f"x-{number}": "y" * 700 for number in range(80)}})
            assert (reply.status, reply.version) == (200, "v2")
            (message,) = here.sidecar.seen.messages
            assert message.ByteSize() < 1_000

    asyncio.run(story())
