"""One real Envoy, our ADS server, and services that come and go while the tests of one file run.

Every service is called `<name>.test`, so each test adds its own and disturbs no other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc

from controlplane.clock import SystemClock
from controlplane.manifest.schema import ServiceSpec
from controlplane.security.ca import make_authority
from controlplane.snapshot.assemble import build
from controlplane.snapshot.mode import Mode
from controlplane.snapshot.model import ServiceRoute
from tests.e2e.path_world import GROUP, SALT, Reply, World, world
from tests.e2e.upstream_servers import Server, serve_http
from tests.waiting import until

NOW_MS = SystemClock().now_ms()


@dataclass
class UpstreamWorld:
    """`files` is what the secrets directory holds."""

    path: World
    services: dict[str, ServiceRoute] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    async def serve(self, name: str, version: Mapping[str, Any], **spec: Any) -> str:
        """Adds or replaces a service of one version and waits until Envoy serves it. Its cluster's name."""
        values = {
            "protocol": "http",
            "hosts": [f"{name}.test"],
            "sticky": "request",
            "versions": [{"name": "v1", "health": {"interval": "200ms"}, **version}],
            "baseline": "v1",
            **spec,
        }
        self.services[name] = ServiceRoute(name, ServiceSpec.model_validate(values), baseline="v1", salt=SALT)
        await self.publish()
        return f"{name}/v1"

    async def publish(self) -> None:
        """Sends what has changed, and waits until Envoy has it."""
        snapshot = build(list(self.services.values()), self.path.gateway, files=self.files)
        ads = self.path.ads
        ads.publish(GROUP, snapshot)
        await until(lambda: ads.fleet(GROUP).has_accepted(snapshot) or bool(ads.fleet(GROUP).nacks()), "Envoy answers")
        assert ads.fleet(GROUP).nacks() == ()

    async def get(self, name: str, path: str = "/", headers: Mapping[str, str] | None = None) -> Reply:
        return await self.path.get({"host": f"{name}.test", **(headers or {})}, path)

    def request(self, name: str, path: str) -> "aiohttp.client._RequestContextManager":
        """For an answer that is read piece by piece."""
        return self.path.client.get(self.url(path), headers={"host": f"{name}.test"})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.path.gateway.listen_port}{path}"

    def channel(self, name: str) -> grpc.aio.Channel:
        address = f"127.0.0.1:{self.path.gateway.listen_port}"
        return grpc.aio.insecure_channel(address, options=[("grpc.default_authority", f"{name}.test")])

    async def stat(self, name: str) -> int:
        return await self.path.stat(name)


class Here:
    """The world, its event loop, and what the tests add to both."""

    def __init__(self, runner: asyncio.Runner, world: UpstreamWorld, stack: contextlib.AsyncExitStack) -> None:
        self.runner, self.world, self.stack = runner, world, stack
        self.authority = make_authority(now_ms=NOW_MS, days=1)

    def run(self, story: Any) -> Any:
        return self.runner.run(asyncio.wait_for(story, 60))

    async def server(self, name: str = "a", **more: Any) -> Server:
        return await serve_http(name, self.stack, **more)

    async def until_stat(self, name: str, value: int) -> None:
        await self.world.path.until_stat(name, value)


@contextlib.asynccontextmanager
async def upstream_world(mode: Mode) -> AsyncIterator[UpstreamWorld]:
    async with world(mode=mode) as path:
        yield UpstreamWorld(path)
