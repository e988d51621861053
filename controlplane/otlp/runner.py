"""Sends what rollouts did as traces, and the metrics, to a receiver of OTLP, beside everything else.

It reads what the engine has written and decides nothing. Nothing is queued for a receiver that is away: spans are made
anew from the journal until they were taken.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version as distribution_version
from typing import Any

from google.protobuf.message import DecodeError

from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.otlp.client import OtlpClient, Outcome, Reply
from controlplane.otlp.spans import Span, spans_of
from controlplane.otlp.wire import Origin, metrics, rejected_spans, traces
from controlplane.rollout.model import Rollout, ended_at_ms_of
from controlplane.telemetry.catalogue import OTLP_EXPORTS
from controlplane.telemetry.exporter import Exporter

log = logging.getLogger("serinus.otlp")

# OpenTelemetry's defaults: OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_METRIC_EXPORT_INTERVAL.
SPANS_EVERY_S, SPANS_AT_ONCE, METRICS_EVERY_S = 5.0, 512, 60.0
PAUSE_S_MAX = 300.0
# What ended so long before this process began was sent by the one before it, if it could be: a restart takes seconds.
BEFORE_MS = 60_000
# The newest of a journal: a rollout that changes its reason every half minute for a day and a half.
RECORDS_MAX = 4_096


def origin_of(now_ms: int) -> Origin:
    """Of this process. Its instance is a random id, as OpenTelemetry recommends: names of machines are not ours."""
    return Origin(distribution_version("serinus"), str(uuid.uuid4()), now_ms)


@dataclass(slots=True)
class _Sent:
    """Of one attempt. `revision`: of the journal that was read."""

    started_at_ms: int
    revision: int = -1
    ids: set[bytes] = field(default_factory=set)


class OtlpRunner:
    """`text`: the exposition. `is_leading`: who does not lead sends its metrics alone."""

    def __init__(
        self,
        engine: Engine,
        client: OtlpClient,
        exporter: Exporter,
        origin: Origin,
        *,
        text: Callable[[], bytes],
        is_leading: Callable[[], bool],
        every_s: float = SPANS_EVERY_S,
        metrics_every_s: float = METRICS_EVERY_S,
    ) -> None:
        self._engine, self._client, self._exporter, self._origin = engine, client, exporter, origin
        self._text, self._is_leading = text, is_leading
        self._every_s, self._metrics_every_s = every_s, metrics_every_s
        self._sent: dict[str, _Sent] = {}

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(
            self._again_and_again(self.send_spans, self._every_s),
            self._again_and_again(self.send_metrics, self._metrics_every_s),
        )

    async def _again_and_again(self, send: Callable[[], Coroutine[Any, Any, bool]], every_s: float) -> None:
        pause_s = every_s
        while True:
            try:
                is_well = await send()
            except SerinusError as error:
                log.warning("nothing is sent over OTLP for now: %s", error)
                is_well = False
            except Exception:
                log.exception("nothing is sent over OTLP for now")
                is_well = False
            pause_s = every_s if is_well else min(2 * pause_s, max(PAUSE_S_MAX, every_s))
            await asyncio.sleep(pause_s)

    async def send_metrics(self) -> bool:
        """All of them, as they are now."""
        text, now_ms = self._text(), self._engine.now_ms()
        body = await asyncio.to_thread(metrics, self._origin, text, now_ms)
        return self._told("metrics", await self._client.send("metrics", body))

    async def send_spans(self) -> bool:
        """What has ended and was not taken yet."""
        if not self._is_leading():
            self._sent = {}
            return True
        spans: list[tuple[_Sent, Span]] = []
        rollouts = [entry.rollout for entry in self._engine.world.rollouts.values()]
        self._sent = {name: one for name, one in self._sent.items() if name in self._engine.world.rollouts}
        is_well = True
        for rollout in rollouts:
            try:
                spans += await self._new(rollout)
            except SerinusError as error:
                log.error("of rollout %s no span is sent for now: %s", rollout.name, error)
                is_well = False
        for at in range(0, len(spans), SPANS_AT_ONCE):
            some = spans[at : at + SPANS_AT_ONCE]
            reply = await self._client.send("traces", traces(self._origin, [span for _, span in some]))
            is_well = self._told("traces", reply) and is_well
            if reply.outcome is Outcome.AGAIN:
                self._read_anew(one for one, _ in spans[at:])
                break
            for sent, span in some:
                sent.ids.add(span.span_id)
        return is_well

    async def _new(self, rollout: Rollout) -> list[tuple[_Sent, Span]]:
        """Of one rollout; its journal is read only when it has moved."""
        sent, since_ms = self._sent.get(rollout.name), self._origin.started_ms - BEFORE_MS
        if sent is None or sent.started_at_ms != rollout.started_at_ms:
            sent = self._sent[rollout.name] = _Sent(rollout.started_at_ms)
        if sent.revision == rollout.revision or 0 < ended_at_ms_of(rollout) < since_ms:
            return []
        records = await self._engine.records(rollout.name, RECORDS_MAX)
        spans = await asyncio.to_thread(spans_of, rollout, records)
        sent.revision = rollout.revision
        return [(sent, span) for span in spans if span.end_ms >= since_ms and span.span_id not in sent.ids]

    def _read_anew(self, waiting: Iterable[_Sent]) -> None:
        for sent in waiting:
            sent.revision = -1

    def _told(self, signal: str, reply: Reply) -> bool:
        self._exporter.count(OTLP_EXPORTS, signal, reply.outcome)
        if reply.outcome is not Outcome.TAKEN:
            log.warning("%s were not taken over OTLP (%s): %s", signal, reply.outcome, reply.fault)
        elif signal == "traces":
            self._look_for_rejections(reply.body)
        return reply.outcome is Outcome.TAKEN

    def _look_for_rejections(self, body: bytes) -> None:
        try:
            rejected, why = rejected_spans(body)
        except DecodeError:
            return
        if rejected:
            log.warning("%d spans were refused over OTLP: %s", rejected, why[:200])
