"""Two control planes, in two processes, that serve the same content (rows 1 and 18 of docs/xds.md)."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.ads_client import GROUP, METHOD, DeltaCaller, SotwCaller

_ASKED = {
    Mode.SOTW: ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",))),
    Mode.DELTA: ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",)), (VIRTUAL_HOST, ())),
}
_NODES = {mode: pb.Node(id=mode.value, cluster=GROUP) for mode in Mode}


@contextlib.contextmanager
def _process(hash_seed: str) -> Iterator[str]:
    """A control plane; its address."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.conformance.xds.control_plane"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[str, str]]:
    with _process("1") as first, _process("2") as second:
        yield first, second


async def _sotw(address: str) -> dict[str, str]:
    async with grpc.aio.insecure_channel(address) as channel:
        stream = SotwCaller(channel.stream_stream(METHOD[Mode.SOTW])(), _NODES[Mode.SOTW])
        return {url: (await stream.accepted(url, *names)).version_info for url, names in _ASKED[Mode.SOTW]}


async def _delta(address: str) -> dict[str, dict[str, str]]:
    async with grpc.aio.insecure_channel(address) as channel:
        stream = DeltaCaller(channel.stream_stream(METHOD[Mode.DELTA])(), _NODES[Mode.DELTA])
        told = {}
        for url, names in _ASKED[Mode.DELTA]:
            response = await stream.accepted(url, *names)
            told[url] = {item.name: item.version for item in response.resources}
        return told


def test_both_give_the_same_content_the_same_version(addresses: tuple[str, str]) -> None:
    """ACK/NACK and resource type instance version: "the version for a resource type is not a property of an individual
    xDS stream but rather a property of the resources themselves." Nor of a process, its hash seed or its clock."""

    async def story() -> None:
        first, second = addresses
        assert await _sotw(first) == await _sotw(second)
        versions = await _delta(first)
        assert versions == await _delta(second)
        assert all(versions[url] for url in (CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST))

    asyncio.run(story())


def test_who_comes_from_the_one_to_the_other_is_sent_nothing(addresses: tuple[str, str]) -> None:
    """ "Servers may decide to optimize by not resending resources that the client had already seen on the previous
    stream"; and Incremental xDS: `initial_resource_versions` "to avoid resending them over the network"."""

    async def story() -> None:
        first, second = addresses
        held, told = await _sotw(first), await _delta(first)
        async with grpc.aio.insecure_channel(second) as channel:
            sotw = SotwCaller(channel.stream_stream(METHOD[Mode.SOTW])(), _NODES[Mode.SOTW])
            for url, names in _ASKED[Mode.SOTW]:
                await sotw.ask(url, *names, version=held[url])
            assert await sotw.is_silent()
            delta = DeltaCaller(channel.stream_stream(METHOD[Mode.DELTA])(), _NODES[Mode.DELTA])
            for url, names in _ASKED[Mode.DELTA]:
                await delta.ask(url, *names, initial=told[url])
            assert await delta.is_silent()
            assert await sotw.is_silent()
            assert not sotw.call.done()
            assert not delta.call.done()

    asyncio.run(story())
