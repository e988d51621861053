"""The same users through both data paths, side by side: `python -m tests.e2e.native_users` asks all 10,000 at every weight.

Two services of one salt on one Envoy: `asked` by way of the sidecar, `native` without it. The short form, which
`make test` runs, asks the sidecar about a part of the users at three of the four weights.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlplane.snapshot.model import ServiceRoute
from extproc.accesslog.entry import Entry
from extproc.accesslog.ingest import Ingest
from extproc.aggregate.window import SlotWindow
from extproc.clock import SystemClock
from extproc.cohort.policies import PolicyHolder
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.arm import Arm
from serinus.contract.bucket import bucket_of
from serinus.contract.metric import ERRORS
from serinus.contract.weight import arm_of_bucket
from tests.e2e.path_world import SALT, World, at, world
from tests.e2e.raw_http import Header, RawReply, replies_to, request, serve
from tests.waiting import until

HOSTS = {"asked": "asked.test", "native": "native.test"}
USERS = tuple(b"user-%d" % number for number in range(10_000))
WEIGHTS_BP = (1, 137, 2_500, 5_000)


def predicted(user: bytes, weight_bp: int) -> str:
    return "v2" if arm_of_bucket(bucket_of(SALT, user), weight_bp) is Arm.CANDIDATE else "v1"


@contextlib.asynccontextmanager
async def servers() -> Any:
    """Two versions that answer at once, as a manifest has them."""
    async with contextlib.AsyncExitStack() as stack:
        yield [{"name": name, "endpoints": [f"127.0.0.1:{await serve(stack)}"]} for name in ("v1", "v2")]


def both(here: World, versions: Sequence[Mapping[str, Any]], **spec: Any) -> tuple[ServiceRoute, ServiceRoute]:
    """The service twice: through the sidecar, and native."""
    paths = {"asked": "ext_proc", "native": "native"}
    asked, native = (
        replace(here.service(versions=versions, hosts=[HOSTS[name]], datapath=path, **spec), name=name)
        for name, path in paths.items()
    )
    return asked, native


async def ask(here: World, name: str, several: Sequence[Sequence[Header]], path: bytes = b"/") -> list[RawReply | None]:
    """Requests with these headers, to one of the two."""
    return await replies_to(here.gateway.listen_port, [request(HOSTS[name], each, path) for each in several])


async def entries(here: World, count: int) -> dict[str, list[Entry]]:
    """By service, when that many have come in all; they are then forgotten."""
    seen = here.sidecar.seen.entries
    await until(lambda: len(seen) >= count, f"{count} log entries")
    found = {name: [each for each in seen if isinstance(each, Entry) and each.service == name] for name in HOSTS}
    assert sum(map(len, found.values())) == len(seen) == count
    here.sidecar.seen.entries = []
    return found


def rows(messages: Sequence[bytes]) -> dict[str, dict[tuple[object, ...], tuple[int, frozenset[int]]]]:
    """What the shipped ingest makes of log messages, by service: of each row, whatever its second, requests and users."""
    catalogue = Catalogue()
    window = SlotWindow(catalogue)
    ingest = Ingest(policies=PolicyHolder(3_600_000), window=window, catalogue=catalogue, clock=SystemClock())
    for message in messages:
        ingest.access_logs(message)
    found: dict[str, dict[tuple[object, ...], tuple[int, frozenset[int]]]] = {name: {} for name in HOSTS}
    for key, counts in window.take(SystemClock().now_ms(), 3_600_000).rows.items():
        where = (key.rollout, key.weight_bp, key.weight_class, key.cohort, key.version)
        requests, users = found[key.service].get(where, (0, frozenset()))
        errors = counts.metrics[ERRORS]
        users |= errors.keys_ok | errors.keys_bad
        found[key.service][where] = (requests + counts.requests, users)
    return found


def place(entry: Entry) -> tuple[object, ...]:
    """All that evidence knows of a request's place."""
    names = ("rollout", "weight_bp", "weight_class", "version", "bucket", "cohort", "key_hash", "pin", "is_randomised")
    return tuple(getattr(entry, name) for name in names)


def _to_ask(share: float) -> Iterator[tuple[int, int]]:
    """By weight, how many users go by way of the sidecar: all of them at 25 %."""
    for weight_bp in WEIGHTS_BP:
        yield weight_bp, len(USERS) if weight_bp == 2_500 else int(share * len(USERS))


async def side_by_side(share: float) -> None:
    """Every user at every weight on the version that the bucket says, on both paths, and with the same place in the log."""
    async with world() as here, servers() as versions:
        asked, native = both(here, versions)
        for weight_bp, count in _to_ask(share):
            await here.publish(at(asked, weight_bp), at(native, weight_bp))
            await here.until_tagging()
            messages = len(here.sidecar.seen.messages)
            expected = [predicted(user, weight_bp) for user in USERS]
            for name, users in (("native", USERS), ("asked", USERS[:count])):
                replies = await ask(here, name, [[(b"x-user-id", user)] for user in users])
                got = [reply.version if reply and reply.status == 200 else "failed" for reply in replies]
                assert got == expected[: len(users)], (name, weight_bp)
            found = await entries(here, len(USERS) + count)
            placed = {entry.key_hash: place(entry) for entry in found["native"]}
            assert len(placed) == len(USERS)
            assert all(placed[entry.key_hash] == place(entry) for entry in found["asked"])
            assert len(here.sidecar.seen.messages) - messages == count, "native requests ask nobody"
            here.sidecar.seen.messages.clear()
            print(f"{weight_bp} bp: {len(USERS)} users native, {count} through the sidecar, all as predicted")


if __name__ == "__main__":
    asyncio.run(side_by_side(1.0))
    sys.exit(0)
