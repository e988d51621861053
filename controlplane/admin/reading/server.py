"""What `Get`, and every answer with a rollout in it, reads: objects in memory, and the ends of journals.

A list may be asked for in brief: without metrics, findings and events, which for a thousand rollouts take a third of a
second. How a rollout ended does not change any more, so its brief line is made once.
"""

import asyncio

from controlplane.admin import wire
from controlplane.admin.signals.wire import leak_sentences, probe_views, servers_views
from controlplane.engine.runner import Engine
from controlplane.engine.world import Service
from controlplane.errors import SerinusError
from controlplane.rollout.model import Rollout
from serinus.v1 import admin_pb2

KINDS = ("", "service", "rollout", "proxy", "group")
# Of ended rollouts, some 500 bytes each. Past this the list gets slower, and the store is due for its retention.
LINES_MAX = 20_000
# Rollouts after which the event loop serves others: a full view is up to a millisecond.
VIEWS_AT_ONCE = 20


class InvalidRequestError(SerinusError):
    """A field of the request is missing or unknown."""

    code = "invalid_request"


class NoSuchServiceError(SerinusError):
    code = "not_found"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"no service {name}; services: {', '.join(known) or 'none'}")


class Reader:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lines: dict[str, admin_pb2.RolloutView] = {}

    async def get(self, request: admin_pb2.GetRequest) -> admin_pb2.GetResponse:
        """Raises InvalidRequestError, NotFoundError."""
        kind, name = request.kind, request.name
        if kind not in KINDS:
            raise InvalidRequestError(f"unknown kind {kind[:80]!r}", next_step=f"one of {', '.join(KINDS[1:])}")
        engine, response = self._engine, admin_pb2.GetResponse()
        if kind in ("", "service"):
            services = engine.world.services
            if name and kind == "service" and name not in services:
                raise NoSuchServiceError(name, sorted(services))
            response.services.extend(
                self._service(service, brief=request.brief)
                for service in services.values()
                if name in ("", service.name)
            )
        if kind in ("", "rollout"):
            await self._add_rollouts(response, request)
        groups = engine.publisher.groups.values()
        if kind == "group":
            response.groups.extend(wire.group_view(group) for group in groups if name in ("", group.name))
        if kind == "proxy":
            response.proxies.extend(
                wire.proxy_view(engine, group, node)
                for group in groups
                for node in group.fleet.nodes.values()
                if name in ("", node.node.node_id)
            )
            response.refusals.extend(self._refusals(name))
        return response

    async def _add_rollouts(self, response: admin_pb2.GetResponse, request: admin_pb2.GetRequest) -> None:
        world, name = self._engine.world, request.name
        if name:
            found = [world.rollout(name)] if request.kind or name in world.rollouts else []
        else:
            found = [entry.rollout for entry in world.rollouts.values()]
        for index, rollout in enumerate(found, 1):
            response.rollouts.append(await (self._line(rollout) if request.brief else self.view(rollout)))
            if index % VIEWS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def view(self, rollout: Rollout) -> admin_pb2.RolloutView:
        """Everything about one rollout."""
        records = await self._engine.records(rollout.name, wire.EVENTS_SHOWN)
        view = wire.rollout_view(self._engine, rollout, records)
        if not rollout.is_terminal:
            self._add_servers(view, rollout)
        view.findings.extend(self._engine.notes.get(rollout.name, ()))
        return view

    def _add_servers(self, view: admin_pb2.RolloutView, rollout: Rollout) -> None:
        """Of both versions, where they are read."""
        engine, spec = self._engine, self._engine.world.services[rollout.spec.service].spec
        arms = [version for version in spec.versions if version.name in (rollout.baseline, rollout.spec.candidate)]
        servers = servers_views(rollout.spec.service, arms, engine.signals, engine.now_ms())
        view.servers.extend(each for each in servers if each.sources or each.log_sources)
        view.findings.extend(leak_sentences(view.servers))

    def _service(self, service: Service, *, brief: bool) -> admin_pb2.ServiceView:
        view = wire.service_view(service, self._engine.world.active(service.name))
        if not brief:
            signals, now_ms = self._engine.signals, self._engine.now_ms()
            view.servers.extend(servers_views(service.name, service.spec.versions, signals, now_ms))
            view.probes.extend(probe_views(service.name, signals, now_ms))
        return view

    async def _line(self, rollout: Rollout) -> admin_pb2.RolloutView:
        """What a table shows of it."""
        line = self._lines.get(rollout.name)
        if line is None or not rollout.is_terminal or line.revision != rollout.revision:
            is_told = rollout.name in self._engine.last and not rollout.is_terminal
            records = [] if is_told else await self._engine.records(rollout.name, 1)
            line = wire.brief_view(self._engine, rollout, records)
            if rollout.is_terminal and len(self._lines) < LINES_MAX:
                self._lines[rollout.name] = line
        line.now_ms = self._engine.now_ms()
        return line

    def _refusals(self, name: str) -> list[admin_pb2.RefusalView]:
        """The fleet counts time by the loop's clock; people read the calendar's."""
        now_ms = self._engine.now_ms()
        loop_ms = int(asyncio.get_running_loop().time() * 1000)
        return [
            wire.refusal_view(refusal, at_ms=now_ms - (loop_ms - refusal.at_ms))
            for refusal in self._engine.ads.refusals
            if name in ("", refusal.node.node_id)
        ]
