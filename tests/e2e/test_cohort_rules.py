"""Cohort rules on a real Envoy: it sends what they read, and while the sidecar is away nobody is pinned by them."""

import asyncio

import pytest

from extproc.accesslog.entry import Entry, outcome_of
from serinus.contract.bucket import bucket_of
from serinus.contract.weight import class_weight_bp
from tests.e2e.path_world import SALT, World, at, world
from tests.waiting import until

pytestmark = pytest.mark.e2e


def _cohort(name: str, match: object) -> dict[str, object]:
    return {"name": name, "match": match, "pin": "candidate"}


NATIVE = [
    {"name": "bots", "match": {"header": {"name": "x-agent", "suffix": "bot"}}, "exclude": True},
    _cohort("named", {"all": [{"header": {"name": "x-a", "present": True}}, {"method": {"in": ["GET", "HEAD"]}}]}),
]
ELSE = [
    _cohort("regex", {"header": {"name": "x-mail", "regex": r".*@example\.com"}}),
    _cohort("cookie", {"cookie": {"name": "plan", "prefix": "go"}}),
    _cohort("query", {"all": [{"path": {"prefix": "/v1/"}}, {"query": {"name": "beta", "exact": "1 2"}}]}),
    _cohort("odd", {"header": {"name": "x-number", "modulo": {"of": 2, "is": [1]}}}),
    _cohort(
        "office", {"all": [{"header": {"name": "x-office", "present": True}}, {"source": {"in": ["127.0.0.0/8"]}}]}
    ),
    _cohort("long", {"header": {"name": "content-length", "regex": "[0-9]{5,}"}}),
    _cohort("elsewhere", {"source": {"in": ["10.0.0.0/8"]}}),
]
# Headers, path, and the cohort that they mean.
CASES: list[tuple[dict[str, str], str, str]] = [
    ({}, "/", "everyone"),
    ({"x-agent": "seo-bot", "x-a": "1"}, "/", "bots"),
    ({"x-agent": "bots", "x-a": ""}, "/", "named"),
    ({"x-mail": "a@example.com"}, "/", "regex"),
    ({"x-mail": "a@example.com.evil"}, "/", "everyone"),
    ({"cookie": "a=b; plan=gold"}, "/", "cookie"),
    ({}, "/v1/x?beta=1%202", "query"),
    ({}, "/v2/x?beta=1%202", "everyone"),
    ({"x-number": "7"}, "/", "odd"),
    ({"x-number": "8"}, "/", "everyone"),
    ({"x-office": "1"}, "/", "office"),
    ({"x-forwarded-for": "10.1.2.3"}, "/", "everyone"),
]


def test_every_condition_is_told_and_without_the_sidecar_nobody_is_pinned() -> None:
    """At weight 0, so that only a pin leads to the candidate. A forged x-forwarded-for is nobody's address."""

    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(cohorts=[*NATIVE, *ELSE]), 0))
            await here.until_tagging()
            for headers, path, cohort in CASES:
                expected = "v1" if cohort in {"everyone", "bots"} else "v2"
                reply = await here.get({"x-user-id": "u1", **headers}, path)
                assert (reply.status, reply.version) == (200, expected), (headers, path, cohort)
            url = f"http://127.0.0.1:{here.gateway.listen_port}/"
            for body_bytes, expected in ((9_999, "v1"), (10_000, "v2")):
                async with here.client.post(url, data=b"x" * body_bytes, headers={"x-user-id": "u1"}) as answer:
                    assert answer.headers["x-serinus-version"] == expected, body_bytes
            (attributes,) = here.sidecar.seen.messages[-1].attributes.values()
            assert attributes.fields["source.address"].string_value.startswith("127.0.0.1:")
            await here.publish(at(here.service(cohorts=[*NATIVE, *ELSE]), 10_000))
            assert (await here.get({"x-user-id": "u1"})).version == "v2"
            await here.sidecar.stop()
            await here.until_untagged()
            for headers, path, cohort in CASES:
                reply = await here.get({"x-user-id": "u1", **headers}, path)
                assert (reply.status, reply.version) == (200, "v1"), (headers, path, cohort)

    asyncio.run(story())


def test_rules_that_envoy_can_tell_keep_everybody_else_in_place_without_the_sidecar() -> None:
    async def story() -> None:
        async with world() as here:
            await here.publish(at(here.service(cohorts=NATIVE), 10_000))
            await here.until_tagging()
            await here.sidecar.stop()
            await here.until_untagged()
            for headers, expected in (
                ({}, "v2"),
                ({"x-agent": "robot"}, "v1"),
                ({"x-agent": "robots"}, "v2"),
                ({"x-a": ""}, "v1"),
            ):
                assert (await here.get({"x-user-id": "u1", **headers})).version == expected, headers

    asyncio.run(story())


def test_weight_classes_keep_their_own_weight_and_nobody_moves_without_the_sidecar() -> None:
    """Half as fast, and three times as fast, up to everybody; the log says the class that the judge keeps apart."""
    tiers = [_tier("gold", 0.5), _tier("early", 3)]
    users = [f"u{number}" for number in range(60)]

    async def sweep(here: World, weight_bp: int) -> None:
        for tier, factor in (("gold", "0.5"), ("early", "3"), ("none", "1")):
            class_bp = class_weight_bp(weight_bp, factor)
            for user in users:
                reply = await here.get({"x-user-id": user, "x-tier": tier})
                expected = "v2" if bucket_of(SALT, user.encode()) < class_bp else "v1"
                assert (reply.status, reply.version) == (200, expected), (tier, user, weight_bp)

    async def story() -> None:
        async with world() as here:
            for weight_bp in (0, 2_000, 4_000, 10_000):
                await here.publish(at(here.service(cohorts=tiers), weight_bp))
                await here.until_tagging()
                await sweep(here, weight_bp)
            entries = here.sidecar.seen.entries
            await until(lambda: len(entries) == 4 * 3 * len(users), "all log entries are here")
            outcomes = [outcome_of(entry, None) for entry in entries if isinstance(entry, Entry)]
            seen = {(o.cohort, o.weight_class, o.weight_bp) for o in outcomes}
            assert {(cohort, name) for cohort, name, _ in seen} == {("gold", "0.5"), ("early", "3"), ("everyone", "1")}
            assert {bp for cohort, _, bp in seen if cohort == "early"} == {0, 6_000, 10_000}
            assert not any(o.is_routing_mismatch for o in outcomes)
            await here.sidecar.stop()
            await here.until_untagged()
            await sweep(here, 10_000)

    asyncio.run(story())


def _tier(name: str, factor: float) -> dict[str, object]:
    return {"name": name, "match": {"header": {"name": "x-tier", "exact": name}}, "weight_factor": factor}
