"""Limits of a service in a real Envoy, over both modes of xDS: who is kept back, and what the log says of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlplane.snapshot.mode import Mode
from extproc.accesslog.entry import Entry, outcome_of
from serinus.contract.arm import Arm
from serinus.contract.bucket import bucket_of
from serinus.contract.outcome import OutcomeClass
from serinus.contract.weight import arm_of_bucket
from tests.e2e.path_world import SALT, World, at, until, world
from tests.unit.controlplane.snapshot.factory import GOLD, STAFF

pytestmark = pytest.mark.e2e

WEIGHT_BP = 5_000
BURST = 4
# A bucket of 4 that gets one more each second: how many pass is known to the second that the test took.
LIMIT = {"requests_per_second": 1, "burst": BURST}
USERS = [f"u{number}" for number in range(40)]
V2_USER, V1_USER = (
    next(user for user in USERS if arm_of_bucket(bucket_of(SALT, user.encode()), WEIGHT_BP) is arm)
    for arm in (Arm.CANDIDATE, Arm.BASELINE)
)
Headers = Mapping[str, str]


async def _passed(here: World, count: int, headers: Headers) -> int:
    """How many of so many requests were served; each of the others was kept back."""
    statuses = [(await here.get(headers)).status for _ in range(count)]
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


@pytest.mark.parametrize("mode", Mode)
def test_a_version_has_one_bucket_for_all_its_routes_and_a_weight_step_does_not_fill_it(mode: Mode) -> None:
    async def story() -> None:
        async with world(mode=mode) as here:
            service = here.service(cohorts=[STAFF], limits={"candidate": LIMIT})
            await here.publish(at(service, WEIGHT_BP))
            await here.until_tagging()
            clock = asyncio.get_running_loop()
            since = clock.time()
            routes = ({"x-user-id": V2_USER}, {"x-user-id": V1_USER, "x-team": "ml"})
            passed = sum([await _passed(here, BURST, headers) for headers in routes])
            for step in range(1, 6):
                await here.publish(at(service, WEIGHT_BP + step))
                passed += await _passed(here, BURST, routes[0])
            assert BURST <= passed <= BURST + (clock.time() - since) + 1
            assert await _passed(here, 20, {"x-user-id": V1_USER}) == 20

    asyncio.run(story())


@pytest.mark.parametrize("mode", Mode)
def test_a_limit_comes_and_goes_without_a_change_of_listener_or_routes(mode: Mode) -> None:
    async def story() -> None:
        async with world(mode=mode) as here:
            plain = here.service()
            limited = here.service(limits={"v1": LIMIT})
            await here.publish(plain)
            counts = ("listener_manager.listener_modified", "http.serinus.rds.services.config_reload")
            before = [await here.stat(name) for name in counts]
            served = []
            for service in (plain, limited, plain):
                await here.publish(service)
                served.append(await _passed(here, 30, {"x-user-id": "u"}))
            assert (served[0], served[2]) == (30, 30)
            assert BURST <= served[1] < 30
            assert [await here.stat(name) for name in counts] == before

    asyncio.run(story())


def test_a_cohort_has_a_bucket_of_its_own_on_whatever_version() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(cohorts=[GOLD], limits={"gold": LIMIT}), 0))
            await here.until_tagging()
            since = asyncio.get_running_loop().time()
            passed = await _passed(here, 20, {"x-user-id": "u", "x-tier": "gold"})
            assert BURST <= passed <= BURST + (asyncio.get_running_loop().time() - since) + 1
            assert await _passed(here, 20, {"x-user-id": "u"}) == 20

    asyncio.run(story())


def test_a_request_that_was_kept_back_is_no_failure_of_the_version_that_it_never_saw() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(limits={"candidate": {**LIMIT, "burst": 1}}), WEIGHT_BP))
            await here.until_tagging()
            replies = [await here.get({"x-user-id": V2_USER}) for _ in range(10)]
            kept_back = [reply for reply in replies if reply.status == 429]
            assert kept_back
            seen = here.sidecar.seen.entries
            await until(lambda: len(seen) == len(replies), "a log entry for each")
            entries = [entry for entry in seen if isinstance(entry, Entry) and entry.ending.code == 429]
            assert len(entries) == len(kept_back)
            for entry in entries:
                assert entry.ending.flags == {"RL"}
                assert entry.version == "v2"
                outcome = outcome_of(entry, None)
                assert (outcome.outcome_class, outcome.weight_class) == (OutcomeClass.LIMITED, "")
                assert replace(entry, ending=replace(entry.ending, flags=frozenset())).is_randomised

    asyncio.run(story())
