"""The native data path on a real Envoy: everyone where the sidecar would have sent them, and the same evidence."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from controlplane.snapshot.model import RolloutRoute
from extproc.accesslog.entry import Entry
from tests.e2e.native_users import HOSTS, USERS, ask, both, entries, place, predicted, rows, servers, side_by_side
from tests.e2e.path_world import World, at, world
from tests.e2e.raw_http import Header, RawReply, replies_to, request
from tests.waiting import until

pytestmark = pytest.mark.e2e

STAFF = {"name": "staff", "match": {"header": {"name": "x-team", "exact": "ml"}}, "pin": "candidate"}
GOLD = {"name": "gold", "match": {"header": {"name": "x-tier", "in": ["gold", "plat.num"]}}, "pin": "baseline"}
EARLY = {"name": "early", "match": {"header": {"name": "x-wave", "regex": "[0-3]+"}}, "weight_factor": 3}
NO_BOTS = {
    "name": "person",
    "match": {"all": [{"path": {"prefix": "/app"}}, {"not": {"header": {"name": "x-kind", "suffix": "bot"}}}]},
    "exclude": True,
}
COHORTS = [STAFF, GOLD, EARLY, NO_BOTS]


def test_ten_thousand_users_get_the_predicted_version_on_both_paths() -> None:
    asyncio.run(side_by_side(0.2))


# Parts of keys, cookies and queries that two readers could take differently.
_PIECES = rb"""u1 u2 U1 , ; = " %41 + & ? \1 / a@b.c - user=1 uid=1 $ (.*) ' # %""".split(b" ")
_COOKIES = b"""uid=u1|uid=u2|uid=|uid|uid="q 1"|uid = x|xuid=1|uid.x=1|a=b|path=/x||_ga=GA1.2.3|Path|a=%20|a=b=c|a=,
|uid=a,b|uid=%41|secure|$Version=1|UID=9|a="uid=1; b"|uid="u1"|expires=Wed, 21 Oct 2026 07:28:00 GMT""".split(b"|")
_FIELDS = b"""user=u1 user=u2 user= user a=b us%65r=9 user=%41 user=a+b xuser=1 a=%20 a%3Db = user=a=b user=a;b USER=1
a=b;user=1 user=a@b.c a=user=1 user=u1#""".split()
_WHOLE = (b"", b" ", b"\t", "jürgen".encode(), b"\xab", b"\xff\xfe", b"u" * 300, b"u" * 3_000, b"a b")


def _headers(prng: random.Random) -> list[list[Header]]:
    """Alone, and twice."""
    values = [*_PIECES, *_WHOLE, *(b"".join(prng.choices(_PIECES, k=prng.randint(2, 4))) for _ in range(200))]
    twice = [[(b"x-user-id", each), (b"x-user-id", b"u2")] for each in values[:30]]
    return [[(b"x-user-id", each)] for each in values] + twice


def _cookies(prng: random.Random) -> list[list[Header]]:
    parts = [each.strip() for each in _COOKIES]
    between = (b"; ", b";", b" ; ", b";;")
    lines = [prng.choice(between).join(prng.choices(parts, k=prng.randint(1, 4))) for _ in range(200)]
    return [[(b"cookie", line)] for line in (*parts, *lines)] + [[(b"cookie", b"a=b"), (b"cookie", b"uid=u1")], []]


def _paths(prng: random.Random) -> list[bytes]:
    queries = [b"&".join(prng.choices(_FIELDS, k=prng.randint(1, 4))) for _ in range(200)]
    paths = (b"/", b"/app", b"//x/y", b"/a%20b", b"/user=1", b"/a:b@c")
    return [*paths, *(prng.choice(paths) + b"?" + query for query in (*_FIELDS, *queries)), b"/?a?user=u1", b"/?"]


async def _same(here: World, cases: Sequence[tuple[Sequence[Header], bytes]]) -> Counter[str]:
    """Each request by both ways, one after the other: the same answer, and the same place in the log."""
    came = []
    for name in HOSTS:
        sent = [request(HOSTS[name], headers, path) for headers, path in cases]
        replies = await replies_to(here.gateway.listen_port, sent, connections=1)
        came.append([(reply.status, reply.version) if reply else None for reply in replies])
    assert [case for case, one, two in zip(cases, *came, strict=True) if one != two] == []
    good = [case for case, reply in zip(cases, came[0], strict=True) if reply is not None and reply[0] == 200]
    found = await _logged(here, len(good))
    placed = [tuple(map(place, pair)) for pair in zip(*found, strict=True)]
    assert [(case, *pair) for case, pair in zip(good, placed, strict=True) if pair[0] != pair[1]] == []
    return Counter(str(entry.cohort) for entry in found[1])


async def _logged(here: World, count: int) -> tuple[list[Entry], list[Entry]]:
    """The entries of answers with 200, in the order of the requests: one connection each."""
    seen = here.sidecar.seen

    def good(name: str) -> list[Entry]:
        entries_of = [each for each in seen.entries if isinstance(each, Entry) and each.service == name]
        return sorted((each for each in entries_of if each.ending.code == 200), key=lambda each: each.start_us)

    await until(lambda: all(len(good(name)) >= count for name in HOSTS), f"{count} log entries each")
    found = good("asked"), good("native")
    seen.entries = []
    return found


_Cases = Callable[[random.Random], list[tuple[Sequence[Header], bytes]]]
_STICKY: dict[str, tuple[Any, _Cases]] = {
    "header": ({"header": "x-user-id"}, lambda prng: [(each, b"/") for each in _headers(prng)]),
    "cookie": ({"cookie": "uid"}, lambda prng: [(each, b"/") for each in _cookies(prng)]),
    "query": ({"query": "user"}, lambda prng: [((), each) for each in _paths(prng)]),
}


@pytest.mark.parametrize("sticky", _STICKY)
def test_what_envoy_reads_otherwise_than_the_sidecar_does_is_asked_at_the_sidecar(sticky: str) -> None:
    """Odd bytes, blanks, quotes, escapes, repeats: the answer and the log's place are the same on both paths."""
    source, cases = _STICKY[sticky]

    async def story() -> None:
        async with world() as here, servers() as versions:
            await here.publish(*(at(route, 5_000) for route in both(here, versions, sticky=source)))
            await here.until_tagging()
            cohorts = await _same(here, cases(random.Random(4)))
            assert cohorts["everyone"] > 10
            assert cohorts["no_key"] > 3

    asyncio.run(story())


_TEAMS = ((), ((b"x-team", b"ml"),), ((b"x-tier", b"plat.num"),), ((b"x-tier", b"platXnum"),), ((b"x-wave", b"12"),))
_MORE = (
    ((b"x-team", b"ml"), (b"x-team", b"ml")),
    ((b"x-wave", b"12x"),),
    ((b"x-kind", b"robot"),),
    ((b"x-kind", b""),),
)
_KEYS = ((), ((b"x-user-id", b""),), ((b"x-user-id", b"a,b"),), *(((b"x-user-id", user),) for user in USERS[:20]))


@pytest.mark.parametrize("weight_bp", [0, 2_500, None], ids=["rolled back", "25 %", "no rollout"])
def test_cohorts_are_the_same_by_both_ways(weight_bp: int | None) -> None:
    """Pinned, excluded and in a weight class of their own; with a key, without one, and with one that the sidecar reads."""

    async def story() -> None:
        async with world() as here, servers() as versions:
            routes = both(here, versions, cohorts=COHORTS)
            if weight_bp is not None:
                routes = tuple(at(route, weight_bp, pins=weight_bp > 0) for route in routes)  # type: ignore[assignment]
            await here.publish(*routes)
            await here.until_tagging()
            headers = [(*team, *key) for team in (*_TEAMS, *_MORE) for key in _KEYS]
            cohorts = await _same(here, [(each, path) for each in headers for path in (b"/", b"/app?x=y", b"/ap")])
            assert set(cohorts) == {"staff", "gold", "early", "person", "everyone", "no_key"}
            reported = rows(here.sidecar.seen.logs)
            assert reported["native"] == reported["asked"], "the report to the control plane, too"
            assert sum(requests for requests, _ in reported["native"].values()) == sum(cohorts.values())

    asyncio.run(story())


def test_a_change_of_the_data_path_in_mid_rollout_moves_nobody_and_fails_nothing() -> None:
    """Users go on asking while the service goes native and back; every outcome stays evidence."""

    async def story() -> None:
        async with world() as here, servers() as versions:
            asked = at(replace(both(here, versions)[0], name="asked"), 2_500)
            native = replace(asked, spec=replace_path(asked, "native"))
            await here.publish(asked)
            await here.until_tagging()
            users = USERS[:400]
            replies: list[RawReply | None] = []
            is_over = False

            async def load() -> None:
                while not is_over:
                    replies.extend(await ask(here, "asked", [[(b"x-user-id", user)] for user in users]))

            running = asyncio.create_task(load())
            asked_before = 0
            for route in (native, asked, native, asked):
                goal = len(replies) + 2 * len(users)
                await until(partial(_has, replies, goal), "two rounds")
                await here.publish(route)
                assert len(here.sidecar.seen.messages) >= asked_before
                asked_before = len(here.sidecar.seen.messages)
            is_over = True
            await running
            assert all(reply is not None and reply.status == 200 for reply in replies)
            expected = [predicted(user, 2_500) for user in users]
            assert [reply.version for reply in replies if reply] == expected * (len(replies) // len(users))
            found = (await entries(here, len(replies)))["asked"]
            assert {(entry.cohort, entry.is_randomised, entry.snapshot) for entry in found} == {
                ("everyone", True, found[0].snapshot)
            }
            assert 0 < len(here.sidecar.seen.messages) < len(replies), "some were asked about, some were not"

    asyncio.run(story())


def _has(replies: list[RawReply | None], count: int) -> bool:
    return len(replies) >= count


def replace_path(route: Any, path: str) -> Any:
    return route.spec.model_copy(update={"datapath": type(route.spec.datapath)(path)})


def test_a_limit_of_a_cohort_holds_on_both_paths() -> None:
    async def story() -> None:
        async with world() as here, servers() as versions:
            limits = {"staff": {"requests_per_second": 1, "burst": 3}}
            await here.publish(*(at(route, 0) for route in both(here, versions, cohorts=[STAFF], limits=limits)))
            await here.until_tagging()
            for name in HOSTS:
                for headers, most in (([(b"x-team", b"ml")], 6), ([(b"x-user-id", b"u")], 20)):
                    replies = await ask(here, name, [headers] * 20)
                    good = sum(reply is not None and reply.status == 200 for reply in replies)
                    assert 3 <= good <= most, (name, headers)
                    assert most == 6 or good == 20

    asyncio.run(story())


def test_without_the_sidecar_everyone_keeps_their_place_pinned_ones_too() -> None:
    """What is lost is the evidence: nobody takes the log entries."""

    async def story() -> None:
        async with world() as here, servers() as versions:
            _, native = both(here, versions, cohorts=[STAFF, GOLD])
            await here.publish(replace(native, rollout=RolloutRoute("chat-v2", "v2", 2_500)))
            await here.until_tagging()
            await here.sidecar.stop()
            await here.until_untagged()
            replies = await ask(here, "native", [[(b"x-user-id", user)] for user in USERS[:1_000]])
            assert [reply.version for reply in replies if reply] == [predicted(user, 2_500) for user in USERS[:1_000]]
            pins = await ask(here, "native", [[(b"x-team", b"ml")], [(b"x-tier", b"gold"), (b"x-user-id", b"u")], []])
            assert [reply.version for reply in pins if reply] == ["v2", "v1", "v1"]
            assert await here.stat("http.serinus.ext_proc.tag.failure_mode_allowed") == 0

    asyncio.run(story())
