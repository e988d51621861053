"""A log line in the Elastic Common Schema (ECS 8): one flat JSON object, as Elasticsearch takes it. Pure.

Fields that ECS names go under its names; all others become `labels.*`, which ECS has as keywords. Nothing is added that
the line did not say: no user, no prompt and no secret is in it, for none is in what the control plane logs.
"""

from collections.abc import Mapping
from typing import Any

ECS_VERSION = "8.11.0"
# Ours -> ECS. `event.reason` is the code, as in `serinus_decisions_total`; the sentence is the message.
NAMES = {"action": "event.action", "code": "event.reason", "from": "source.address", "actor": "user.name"}


def ecs_line(
    *, at: str, level: str, logger: str, message: str, fields: Mapping[str, Any], version: str, error: str = ""
) -> dict[str, Any]:
    """`at` is an ISO 8601 time in UTC; `error` a stack trace."""
    line: dict[str, Any] = {
        "@timestamp": at,
        "log.level": level,
        "message": message,
        "ecs.version": ECS_VERSION,
        "log.logger": logger,
        "service.name": "serinus-controlplane",
        "service.version": version,
    }
    if "action" in fields:
        line |= {"event.kind": "event", "event.dataset": "serinus.decisions"}
    for name, value in fields.items():
        line[NAMES.get(name, f"labels.{name}")] = str(value)
    if error:
        line["error.stack_trace"] = error
    return line
