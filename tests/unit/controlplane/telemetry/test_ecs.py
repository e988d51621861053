"""A line of the log as Elasticsearch wants it: the names of ECS, keywords for the rest, and nothing that nobody said."""

import json
import logging
import time

from controlplane.rollout.transition import Action, Decision, Transition
from controlplane.telemetry.ecs import ECS_VERSION, ecs_line
from controlplane.telemetry.exporter import EcsFormatter
from tests.unit.controlplane.rollout.facts import rollout

TOLD = {"at": "2026-09-21T14:13:20.000Z", "level": "info", "logger": "serinus.engine", "version": "1.2.3"}


def test_a_decision_has_the_names_of_ecs_and_keywords_for_what_ecs_does_not_know() -> None:
    decision = Decision(Action.ROLLBACK, "worse", "errors: worse", "ann")
    begun = rollout()
    line = ecs_line(message=decision.text, fields=Transition(begun, (), decision).log_fields, **TOLD)
    assert line == {
        "@timestamp": "2026-09-21T14:13:20.000Z",
        "log.level": "info",
        "message": "errors: worse",
        "ecs.version": ECS_VERSION,
        "log.logger": "serinus.engine",
        "service.name": "serinus-controlplane",
        "service.version": "1.2.3",
        "event.kind": "event",
        "event.dataset": "serinus.decisions",
        "event.action": "rollback",
        "event.reason": "worse",
        "user.name": "ann",
        "labels.rollout": begun.name,
        "labels.service": begun.spec.service,
        "labels.revision": str(begun.revision),
        "labels.phase": begun.phase.kind,
    }


def test_a_decision_of_nobody_names_nobody() -> None:
    assert "actor" not in Transition(rollout(), (), Decision(Action.HOLD, "min_step", "5 s left")).log_fields


def test_what_is_no_decision_is_no_event_and_an_error_has_its_trace() -> None:
    line = ecs_line(message="refused", fields={"from": "10.0.0.7"}, error="Traceback …", **TOLD)
    assert (line["source.address"], line["error.stack_trace"]) == ("10.0.0.7", "Traceback …")
    assert not [name for name in line if name.startswith("event.")]


def test_a_line_is_one_json_object_in_utc() -> None:
    formatter = EcsFormatter()
    formatter.converter = time.gmtime
    record = logging.makeLogRecord(
        {
            "name": "serinus.engine",
            "levelname": "INFO",
            "msg": "two\nlines",
            "created": 1_790_000_000.25,
            "msecs": 250.0,
        }
    )
    text = formatter.format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["@timestamp"], line["message"]) == ("2026-09-21T14:13:20.250Z", "two\nlines")
    assert line["service.version"]
