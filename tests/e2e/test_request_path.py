"""The request path on a real Envoy: who goes where with the sidecar and without it, and what is told of it."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from controlplane.snapshot.route import service_snapshot
from extproc.accesslog.entry import Entry
from serinus.contract.arm import Arm
from serinus.contract.bucket import bucket_of, key_hash
from serinus.contract.weight import arm_of_bucket
from tests.e2e.path_sidecar import TRANSPORTS
from tests.e2e.path_world import SALT, World, at, until, world

pytestmark = pytest.mark.e2e

USERS = tuple(f"user-{number}" for number in range(100))
STAFF = {"name": "staff", "match": {"header": {"name": "x-team", "exact": "ml"}}, "pin": "candidate"}
GOLD = {"name": "gold", "match": {"header": {"name": "x-tier", "in": ["gold", "plat.num"]}}, "pin": "baseline"}


def predicted(user: str, weight_bp: int) -> str:
    return "v2" if arm_of_bucket(bucket_of(SALT, user.encode()), weight_bp) is Arm.CANDIDATE else "v1"


async def _lose_the_sidecar(here: World) -> None:
    """The socket file stays behind, as after a kill; Envoy's health check has noticed."""
    await here.sidecar.stop()
    await here.until_untagged()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_split_is_the_predicted_one_with_the_sidecar_and_without_it(transport: str) -> None:
    """Every user, at every weight, exactly; so nobody leaves while the weight grows, and nobody flips."""

    async def story() -> None:
        async with world(transport=transport) as here:
            for is_tagging in (True, False):
                for weight_bp in (0, 137, 2_500, 5_000, 10_000):
                    await here.publish(at(here.service(), weight_bp))
                    await (here.until_tagging() if is_tagging else here.until_untagged())
                    expected = {user: predicted(user, weight_bp) for user in USERS}
                    assert await here.versions_of(USERS) == expected, (is_tagging, weight_bp)
                tagged = here.sidecar.requests.values.get(("tagged",), 0)
                assert tagged == 5 * len(USERS), "all of them while there was a sidecar, none after"
                if is_tagging:
                    await _lose_the_sidecar(here)

    asyncio.run(story())


SPOOFS: tuple[dict[str, str], ...] = (
    {"x-serinus-bucket": "0"},
    {"X-Serinus-Bucket": "0"},
    {"x-serinus-version": "v2"},
    {"x-serinus-cohort": "staff"},
    {"x-serinus-pin": "v2"},
    {"x-serinus-key": "r1:user-of-v2"},
    {"connection": "keep-alive, x-serinus-pin", "x-serinus-pin": "v2"},
    {"x-serinus-bucket": "0", "x-serinus-pin": "v2", "x-serinus-cohort": "staff", "x-serinus-key": "r1:user-of-v2"},
)


@pytest.mark.parametrize("sticky", [{"header": "x-user-id"}, {"cookie": "session"}], ids=["mix", "tagged"])
def test_a_spoofed_header_changes_nothing_with_the_sidecar_and_without_it(sticky: dict[str, str]) -> None:
    """One basis point on v2 and a user in another bucket: any v2 would be a spoofed one."""

    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(sticky=sticky, cohorts=[STAFF]), 1))
            await here.until_tagging()
            for is_tagging in (True, False):
                for spoof in SPOOFS:
                    headers = {"x-user-id": "u1", "cookie": "session=u1", **spoof}
                    seen = Counter([(await here.get(headers)).version for _ in range(20)])
                    assert seen == {"v1": 20}, (is_tagging, spoof)
                if is_tagging:
                    await _lose_the_sidecar(here)
            sent = [name for request in here.upstreams["v1"].requests for name in request]
            assert [name for name in sent if name.startswith("x-serinus-")] == []

    asyncio.run(story())


def test_a_pinned_cohort_gets_its_version_and_without_the_sidecar_the_baseline() -> None:
    async def story() -> None:
        async with world() as here:
            service = here.service(cohorts=[STAFF, GOLD])
            cases = {"staff": {"x-team": "ml"}, "gold": {"x-tier": "plat.num"}, "other": {"x-team": "ml2"}}
            v2_users = [user for user in USERS if predicted(user, 5_000) == "v2"][:5]

            async def versions(**headers: str) -> set[str | None]:
                return {(await here.get({"x-user-id": user, **headers})).version for user in v2_users}

            async def all_cases() -> dict[str, set[str | None]]:
                got = {}
                for name, headers in cases.items():
                    got[name] = {(await here.get({"x-user-id": user, **headers})).version for user in v2_users}
                return got

            await here.publish(at(service, 0))
            await here.until_tagging()
            assert await all_cases() == {"staff": {"v2"}, "gold": {"v1"}, "other": {"v1"}}
            await here.publish(at(service, 5_000))
            assert await all_cases() == {"staff": {"v2"}, "gold": {"v1"}, "other": {"v2"}}
            await here.publish(at(service, 0, pins=False))
            assert await all_cases() == {"staff": {"v1"}, "gold": {"v1"}, "other": {"v1"}}
            await here.publish(at(service, 10_000))
            await _lose_the_sidecar(here)
            assert await all_cases() == {"staff": {"v1"}, "gold": {"v1"}, "other": {"v2"}}

    asyncio.run(story())


def test_a_request_without_a_key_goes_to_the_baseline() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(), 10_000))
            await here.until_tagging()
            for is_tagging in (True, False):
                for headers in ({}, {"x-user-id": ""}, {"x-user-id": "  "}):
                    seen = Counter([(await here.get(headers)).version for _ in range(5)])
                    assert seen == {"v1": 5}, (is_tagging, headers)
                if is_tagging:
                    await _lose_the_sidecar(here)

    asyncio.run(story())


def test_a_derived_key_is_placed_by_its_tag_and_without_the_sidecar_by_the_baseline() -> None:
    async def story() -> None:
        async with world() as here:
            for sticky in ({"cookie": "session"}, [{"query": "user"}, {"cookie": "session"}]):
                await here.publish(at(here.service(sticky=sticky), 5_000))
                await here.until_tagging()
                for user in USERS[:30]:
                    reply = await here.get({"cookie": f"a=b; session={user}"})
                    assert (reply.status, reply.version) == (200, predicted(user, 5_000))
            by_query = [(await here.get(path=f"/?user={user}")).version for user in USERS[:30]]
            assert by_query == [predicted(user, 5_000) for user in USERS[:30]]
            await _lose_the_sidecar(here)
            assert {(await here.get({"cookie": f"session={user}"})).version for user in USERS[:20]} == {"v1"}

    asyncio.run(story())


def test_sticky_by_request_is_the_bucket_of_the_request_id_that_the_client_is_told() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(sticky="request"), 5_000))
            await here.until_tagging()
            for is_tagging in (True, False):
                seen = set()
                for _ in range(30):
                    reply = await here.get({"x-request-id": "mine"})
                    request_id = reply.headers["x-serinus-request-id"]
                    assert request_id == reply.headers["x-request-id"] != "mine"
                    assert reply.version == predicted(request_id, 5_000), is_tagging
                    seen.add(reply.version)
                assert seen == {"v1", "v2"}
                if is_tagging:
                    await _lose_the_sidecar(here)

    asyncio.run(story())


def test_the_version_header_is_ours_also_on_envoys_own_503() -> None:
    async def story() -> None:
        async with world() as here:
            dead = here.service(versions=[{"name": "v1", "endpoints": ["127.0.0.1:1"]}])
            await here.publish(dead)
            reply = await here.get({"x-user-id": "u1"})
            assert (reply.status, reply.version) == (503, "v1")

    asyncio.run(story())


def test_a_log_entry_carries_every_tag_and_meets_the_observation_by_request_id() -> None:
    async def story() -> None:
        async with world() as here:
            service = at(here.service(protocol="openai", observe={"body": True}, cohorts=[STAFF]), 5_000)
            await here.publish(service)
            await here.until_tagging()
            reply = await here.get({"x-user-id": "u1"}, path="/v1/stream")
            await here.get({"x-user-id": "u2", "x-team": "ml"})
            await here.get()
            seen = here.sidecar.seen
            await until(lambda: len(seen.entries) == 3, "three log entries")
            assert all(isinstance(entry, Entry) for entry in seen.entries)
            entries = {entry.request_id: entry for entry in seen.entries if isinstance(entry, Entry)}
            request_id = reply.headers["x-serinus-request-id"]
            tagged = entries[request_id]
            assert (tagged.service, tagged.rollout, tagged.weight_bp) == ("chat", "chat-v2", 5_000)
            assert (tagged.candidate, tagged.baseline, tagged.version) == ("v2", "v1", reply.version)
            assert tagged.snapshot == service_snapshot(service)
            assert (tagged.bucket, tagged.key_hash) == (bucket_of(SALT, b"u1"), key_hash(SALT, b"u1"))
            assert (tagged.ending.code, tagged.ending.flags, tagged.ending.is_finished) == (200, frozenset(), True)
            cohorts = {(entry.cohort, entry.pin, entry.bucket is None) for entry in entries.values()}
            assert cohorts == {("everyone", None, False), ("staff", "v2", False), ("no_key", "v1", True)}
            assert 0 < (tagged.ttfb_us or 0) <= (tagged.body_us or 0) <= tagged.duration_us
            await until(lambda: request_id in seen.observations, "the observation of the stream")
            observation = seen.observations[request_id]
            assert (observation.finish_reason, observation.complete) == ("length", True)

    asyncio.run(story())


def test_the_sidecar_is_sent_no_header_that_no_policy_reads() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(cohorts=[STAFF]), 5_000))
            await here.until_tagging()
            await here.get({"x-user-id": "u1", "x-team": "ml", "authorization": "secret", "cookie": "a=b"})
            (message,) = here.sidecar.seen.messages
            assert {header.key for header in message.request_headers.headers.headers} == {"x-user-id", "x-team"}

    asyncio.run(story())


def test_two_services_keep_their_prefixes_and_hosts() -> None:
    async def story() -> None:
        async with world() as here:
            inner = replace(here.service(prefix="/inner/", baseline="v2"), name="inner", baseline="v2")
            await here.publish(at(here.service(), 0), inner)
            await here.until_tagging()
            assert (await here.get({"x-user-id": "u1"}, path="/inner/x")).version == "v2"
            assert (await here.get({"x-user-id": "u1"}, path="/outer/x")).version == "v1"
            assert (await here.get({"host": "any.example.com:8080", "x-user-id": "u1"})).version == "v1"
            await here.publish(here.service(hosts=["only.example.com"]))
            assert (await here.get({"host": "only.example.com:8080"})).status == 200
            assert (await here.get({"host": "other.example.com"})).status == 404

    asyncio.run(story())
