"""The pages' calls of `serinus.v1.Admin`. Each raises SerinusError in the API's own words."""

from typing import Any

from controlplane.dashboard.web.history import Plot, distributions, over_time
from controlplane.dashboard.web.port import Api
from controlplane.dashboard.web.wire import RolloutLine, ServiceLine, rollout_line, service_line, spans
from controlplane.errors import SerinusError
from controlplane.security.identity import Caller
from serinus.v1 import admin_pb2

HEADERS_MAX = 100


class UnknownActionError(SerinusError):
    code = "unknown_action"


class BadHeadersError(SerinusError):
    code = "bad_headers"


async def explained(api: Api, name: str, caller: Caller) -> Any:
    """Everything about a rollout."""
    return await api.call("Explain", admin_pb2.ExplainRequest(rollout=name), caller)


async def home_lines(api: Api, caller: Caller) -> tuple[list[RolloutLine], list[ServiceLine]]:
    """All rollouts and services, in brief."""
    got = await api.call("Get", admin_pb2.GetRequest(brief=True), caller)
    return [rollout_line(view) for view in got.rollouts], [service_line(view) for view in got.services]


async def service(api: Api, name: str, caller: Caller) -> ServiceLine:
    got = await api.call("Get", admin_pb2.GetRequest(kind="service", name=name), caller)
    return service_line(got.services[0])


async def history(api: Api, service_name: str, caller: Caller) -> list[Plot]:
    """Its last day, as far as it is known."""
    got = await api.call("Trends", admin_pb2.TrendsRequest(service=service_name), caller)
    return over_time(spans(got), got.every_ms)


async def curves(
    api: Api, service_name: str, caller: Caller, *, from_ms: int = 0, versions: tuple[str, ...] = ()
) -> list[Plot]:
    """Distributions since a time, or of the last day; of these versions, or all."""
    request = admin_pb2.TrendsRequest(service=service_name, from_ms=from_ms, total=True)
    got = await api.call("Trends", request, caller)
    return distributions([span for span in spans(got) if not versions or span.version in versions])


async def place(api: Api, name: str, text: str, caller: Caller) -> Any:
    """Where a request with these headers would go; `text` has one a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    fields = [line.partition(":") for line in lines]
    if len(lines) > HEADERS_MAX or not all(key.strip() and colon for key, colon, _ in fields):
        raise BadHeadersError("that is no list of headers", next_step="write one a line, as `x-user-id: ann`")
    headers = [admin_pb2.HeaderField(name=key.strip().lower(), value=value.strip()) for key, _, value in fields]
    return await api.call("Cohort", admin_pb2.CohortRequest(service=name, headers=headers), caller)


async def operate(api: Api, name: str, verb: str, reason: str, caller: Caller) -> None:
    """Press a button of a rollout's page."""
    plain: dict[str, Any] = {"rollout": name, "actor": caller.claimed, "reason": reason}
    methods = {"pause": "Pause", "resume": "Resume", "abort": "Abort", "retry": "Retry"}
    if verb in methods:
        await api.call(methods[verb], admin_pb2.OperatorRequest(**plain), caller)
    elif verb in ("promote", "skip"):
        await api.call("Promote", admin_pb2.PromoteRequest(**plain, skip_analysis=verb == "skip"), caller)
    elif verb == "approve":
        # The step that the page has shown may be another by now: the API then refuses, and says which.
        got = await api.call("Get", admin_pb2.GetRequest(kind="rollout", name=name, brief=True), caller)
        step_bp = got.rollouts[0].approval_needed_bp
        await api.call("Approve", admin_pb2.ApproveRequest(**plain, step_bp=step_bp), caller)
    else:
        raise UnknownActionError(f"there is no action {verb[:40]!r}", next_step="load the page again")
