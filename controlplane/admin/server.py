"""`serinus.v1.Admin` over grpc.aio, with grpc.health.v1 and server reflection."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from controlplane.admin import wire
from controlplane.admin.access.server import caller
from controlplane.admin.alerts.server import AlertTeller
from controlplane.admin.applied.wire import apply_response, spec_sha256
from controlplane.admin.audit.wire import AUDIT_READ_MAX, audit_response
from controlplane.admin.feedback.server import Teller
from controlplane.admin.reading.server import InvalidRequestError, Reader
from controlplane.admin.trends.server import TrendTeller
from controlplane.engine.audit import JOURNAL
from controlplane.engine.people import interval_sentence, more_sentence
from controlplane.engine.routing import place
from controlplane.engine.runner import Engine
from controlplane.engine.sentences import metric_sentence
from controlplane.engine.slices import ranked_sentence
from controlplane.errors import SerinusError
from controlplane.manifest import regex
from controlplane.rollout.events import Abort, Approve, Command, Pause, Promote, Resume, Retry
from controlplane.rollout.explain import guarantee_sentence, plan_sentence, state_sentence
from controlplane.rollout.model import Rollout
from controlplane.security.identity import Caller
from serinus.contract.condition import Surroundings
from serinus.v1 import admin_pb2, admin_pb2_grpc

log = logging.getLogger("serinus.admin")

T = TypeVar("T")

# A watcher that stopped reading is cut off by gRPC's own flow control; these bound how many may watch.
WATCHERS_MAX = 100
# Of all calls at once, those that send nothing among them: a coroutine and a few KB each.
CALLS_MAX = 500
WATCH_EVERY_S = 1.0
TEXT_CHARS_MAX = 1_000
# Percent-encoded on the wire, where each byte that is no ASCII takes three.
DETAILS_BYTES_MAX = 2_000
OperatorCall = admin_pb2.OperatorRequest | admin_pb2.PromoteRequest | admin_pb2.ApproveRequest


class AdminServicer(admin_pb2_grpc.AdminServicer):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = Reader(engine)
        self._teller = Teller(engine)
        self._alerts = AlertTeller(engine)
        self._trends = TrendTeller(engine)
        self._watchers = 0

    async def Apply(  # noqa: N802
        self, request: admin_pb2.ApplyRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.ApplyResponse:
        async def act() -> admin_pb2.ApplyResponse:
            files = [(file.name or "-", file.text) for file in request.files]
            gone = [(each.kind, each.name) for each in request.deletions]
            if not files and not gone:
                raise InvalidRequestError("nothing to apply", next_step="give at least one file")
            by, before = _caller(request), self._engine.world
            changes = await self._engine.apply(files, gone, dry_run=request.dry_run, actor=by.actor, by=by)
            return apply_response(changes, before if request.with_data else None)

        return await _answer(context, act)

    async def Get(self, request: admin_pb2.GetRequest, context: grpc.aio.ServicerContext) -> admin_pb2.GetResponse:  # noqa: N802
        return await _answer(context, lambda: self._reader.get(request))

    async def _view(self, rollout: Rollout) -> admin_pb2.RolloutView:
        return await self._reader.view(rollout)

    async def Watch(  # noqa: N802
        self, request: admin_pb2.WatchRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[admin_pb2.RolloutView]:
        if self._watchers >= WATCHERS_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{WATCHERS_MAX} watchers are open already")
        self._watchers += 1
        try:
            while True:
                view = await _answer(context, lambda: self._watched(request.rollout))
                yield view
                if view.terminal:
                    return
                await self._engine.changed(WATCH_EVERY_S)
        finally:
            self._watchers -= 1

    async def _watched(self, name: str) -> admin_pb2.RolloutView:
        return await self._view(self._engine.world.rollout(name))

    async def Pause(  # noqa: N802
        self, request: admin_pb2.OperatorRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.OperatorResponse:
        return await self._operate(request, context, Pause(self._now(), *_who(request)))

    async def Resume(  # noqa: N802
        self, request: admin_pb2.OperatorRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.OperatorResponse:
        return await self._operate(request, context, Resume(self._now(), *_who(request)))

    async def Abort(  # noqa: N802
        self, request: admin_pb2.OperatorRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.OperatorResponse:
        return await self._operate(request, context, Abort(self._now(), *_who(request)))

    async def Retry(  # noqa: N802
        self, request: admin_pb2.OperatorRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.OperatorResponse:
        return await self._operate(request, context, Retry(self._now(), *_who(request)))

    async def Promote(  # noqa: N802
        self, request: admin_pb2.PromoteRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.OperatorResponse:
        actor, reason = _who(request)
        command = Promote(self._now(), actor, reason, request.skip_analysis)
        return await self._operate(request, context, command)

    async def Approve(  # noqa: N802
        self, request: admin_pb2.ApproveRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.OperatorResponse:
        return await self._operate(request, context, Approve(self._now(), *_who(request), request.step_bp))

    def _now(self) -> int:
        return self._engine.now_ms()

    async def _operate(
        self,
        request: OperatorCall,
        context: grpc.aio.ServicerContext,
        command: Command,
    ) -> admin_pb2.OperatorResponse:
        async def act() -> admin_pb2.OperatorResponse:
            if isinstance(command, Promote) and command.skip_analysis and not command.reason:
                raise InvalidRequestError("--skip-analysis needs a reason", next_step="add --reason TEXT")
            rollout = await self._engine.command(request.rollout, command, _caller(request))
            return admin_pb2.OperatorResponse(rollout=await self._view(rollout))

        return await _answer(context, act)

    async def Explain(  # noqa: N802
        self, request: admin_pb2.ExplainRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.ExplainResponse:
        return await _answer(context, lambda: self._explain(request.rollout))

    async def _explain(self, name: str) -> admin_pb2.ExplainResponse:
        engine = self._engine
        rollout = engine.world.rollout(name)
        records = await engine.records(name)
        tracker = engine.trackers.get(name)
        rows = tracker.rows() if tracker and tracker.assessment else ()
        view = wire.rollout_view(engine, rollout, records)
        sentences = [state_sentence(rollout), plan_sentence(rollout)]
        if not rollout.is_terminal and view.message:
            sentences.append(f"Now: {view.message}.")
        sentences += [f"{metric_sentence(row)}." for row in rows]
        told = tracker.labels.sentences(is_over=rollout.is_terminal) if tracker else ()
        sentences += [f"Feedback: {words}." for words in told]
        tried = tracker.dry_run.rows if tracker else ()
        sentences += [f"Dry run, nothing follows from it: {metric_sentence(row)}." for row in tried]
        sentences += [words for words in (ranked_sentence(tracker.slices.rows() if tracker else ()),) if words]
        if not rollout.is_terminal:
            seconds = tracker.step_seconds() if tracker else 0
            said = [words for row in rows for words in (interval_sentence(row), more_sentence(row, seconds))]
            sentences += [f"{words}." for words in said if words]
        sentences.append(guarantee_sentence(rollout))
        return admin_pb2.ExplainResponse(
            rollout=view,
            sentences=sentences,
            events=[wire.event_view(record) for record in records],
            samples=wire.samples_view(tracker.samples() if tracker else []),
            rollout_sha256=spec_sha256(engine.world, "Rollout", name),
            service_sha256=spec_sha256(engine.world, "Service", rollout.spec.service),
        )

    async def Audit(  # noqa: N802
        self, request: admin_pb2.AuditRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.AuditResponse:
        async def act() -> admin_pb2.AuditResponse:
            return audit_response(request, await self._engine.records(JOURNAL, AUDIT_READ_MAX))

        return await _answer(context, act)

    async def Cohort(  # noqa: N802
        self, request: admin_pb2.CohortRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.CohortResponse:
        async def act() -> admin_pb2.CohortResponse:
            around = Surroundings(now_s=self._now() // 1_000, regex=regex.matches)
            lookup = wire.header_lookup(request)
            return wire.cohort_response(place(self._engine.world, request.service, lookup, around))

        return await _answer(context, act)

    async def Feedback(  # noqa: N802
        self, request: admin_pb2.FeedbackRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.FeedbackResponse:
        return await _answer(context, lambda: self._teller.tell(request))

    async def Trends(  # noqa: N802
        self, request: admin_pb2.TrendsRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.TrendsResponse:
        return await _answer(context, lambda: self._trends.tell(request))

    async def Alerts(  # noqa: N802
        self, request: admin_pb2.AlertsRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.AlertsResponse:
        return await _answer(context, lambda: self._alerts.listed(request.rule))

    async def Acknowledge(  # noqa: N802
        self, request: admin_pb2.AlertRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.AlertsResponse:
        by, reason = _caller(request), _text(request.reason)
        return await _answer(context, lambda: self._alerts.acknowledge(request.rule, by, reason))

    async def Silence(  # noqa: N802
        self, request: admin_pb2.AlertRequest, context: grpc.aio.ServicerContext
    ) -> admin_pb2.AlertsResponse:
        by, reason = _caller(request), _text(request.reason)
        return await _answer(context, lambda: self._alerts.silence(request.rule, by, reason, request.for_ms))


def _caller(request: Any) -> Caller:
    """What the request says of its actor stands behind what the connection has shown."""
    return replace(caller(), claimed=_text(request.actor))


def _who(request: OperatorCall) -> tuple[str, str]:
    return _caller(request).actor, _text(request.reason)


def _text(text: str) -> str:
    """One line, bounded: it goes into the journal and the log."""
    return " ".join(text.split())[:TEXT_CHARS_MAX]


def bounded(text: str) -> str:
    """An error's words, within what gRPC clients take as trailing metadata (8 KiB), however long the fault is."""
    if len(text.encode()) <= DETAILS_BYTES_MAX:
        return text
    return text.encode()[:DETAILS_BYTES_MAX].decode(errors="ignore") + " … (cut; next: correct these first)"


async def _answer(context: grpc.aio.ServicerContext, act: Callable[[], Awaitable[T]]) -> T:
    """The result, or a gRPC status with the error's own words. Nothing internal is shown."""
    try:
        return await act()
    except SerinusError as error:
        status = wire.STATUS_BY_CODE.get(error.code, "INTERNAL")
        await context.abort(grpc.StatusCode[status], bounded(str(error)))
    except asyncio.CancelledError:
        raise
    except grpc.aio.AbortError:
        raise
    except Exception:
        log.exception("admin call failed")
        await context.abort(grpc.StatusCode.INTERNAL, "internal error; next: see the control plane's log")
    raise AssertionError("abort does not return")


def add_to(server: grpc.aio.Server, engine: Engine) -> None:
    """Register the admin API, health and reflection on a server."""
    admin_pb2_grpc.add_AdminServicer_to_server(AdminServicer(engine), server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = (
        admin_pb2.DESCRIPTOR.services_by_name["Admin"].full_name,
        health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
        reflection.SERVICE_NAME,
    )
    reflection.enable_server_reflection(names, server)
