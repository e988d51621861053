"""Tokens of testers and places of addresses on a real Envoy, by files of the sidecar's policy folder."""

import asyncio
import time
from dataclasses import replace

import pytest

from extproc.accesslog.entry import Entry, outcome_of
from serinus.contract.token import Claims, mint
from tests.e2e.path_world import World, at, until, world
from tests.unit.extproc.cohort.mmdb_file import place, written

pytestmark = pytest.mark.e2e

KEY = b"k" * 32


def _claims() -> Claims:
    now_s = int(time.time())
    return Claims("chat", "v2", "ada", now_s, now_s + 600)


def _prepare(here: World) -> None:
    folder = here.sidecar.policy_dir
    folder.mkdir()
    (folder / "testers.key").write_bytes(KEY)
    (folder / "geo.mmdb").write_bytes(written({"127.0.0.0/8": place("DE", "EU"), "10.0.0.0/8": place("US", "NA")}))


def test_a_token_sends_a_tester_to_its_version_and_any_other_has_no_effect() -> None:
    """At 0.01 %, with the pins of a rollout in force. No server sees a token, and testers are no evidence."""

    async def story() -> None:
        async with world() as here:
            _prepare(here)
            await here.publish(at(here.service(tokens={"key_file": "testers.key"}), 1))
            await here.until_tagging()
            for token, version, cohort, result in (
                (mint(KEY, _claims()), "v2", "token", "accepted"),
                (mint(KEY, replace(_claims(), version="v1")), "v1", "token", "accepted"),
                (mint(b"o" * 32, _claims()), "v1", "everyone", "forged"),
                (mint(KEY, replace(_claims(), issued_s=1_000, expires_s=2_000)), "v1", "everyone", "expired"),
                (mint(KEY, replace(_claims(), service="talk")), "v1", "everyone", "foreign"),
                (mint(KEY, replace(_claims(), version="v9")), "v1", "everyone", "foreign"),
            ):
                before = here.sidecar.tokens.values.get((result,), 0)
                entries = len(here.sidecar.seen.entries)
                reply = await here.get({"x-user-id": "u1", "serinus-token": token})
                assert (reply.status, reply.version) == (200, version), result
                assert here.sidecar.tokens.values[(result,)] == before + 1
                await until(lambda count=entries: len(here.sidecar.seen.entries) > count, "the log entry")
                entry = here.sidecar.seen.entries[-1]
                assert isinstance(entry, Entry)
                outcome = outcome_of(entry, None)
                assert (outcome.cohort, outcome.weight_class) == (cohort, "" if cohort == "token" else "1")
            sent = [headers for upstream in here.upstreams.values() for headers in upstream.requests]
            assert sent
            assert not any("serinus-token" in headers for headers in sent)
            await here.publish(at(here.service(tokens={"key_file": "testers.key"}), 0, pins=False))
            reply = await here.get({"x-user-id": "u1", "serinus-token": mint(KEY, _claims())})
            assert reply.version == "v1", "after a rollback nobody reaches the candidate"

    asyncio.run(story())


def test_an_address_is_where_the_file_says_whatever_the_client_says() -> None:
    async def story() -> None:
        async with world() as here:
            _prepare(here)
            for match, version in (
                ({"file": "geo.mmdb", "country": ["DE"]}, "v2"),
                ({"file": "geo.mmdb", "continent": ["NA"]}, "v1"),
                ({"header": "cf-ipcountry", "country": ["FR"]}, "v2"),
            ):
                cohort = {"name": "there", "match": {"geo": match}, "pin": "candidate"}
                await here.publish(at(here.service(cohorts=[cohort]), 0))
                await here.until_tagging()
                headers = {"x-user-id": "u1", "x-forwarded-for": "10.1.2.3", "cf-ipcountry": "fr"}
                assert (await here.get(headers)).version == version, match

    asyncio.run(story())
