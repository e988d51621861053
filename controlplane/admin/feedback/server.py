"""`Feedback` of the admin API: what an operator, or a program with an operator's token, says of one request.

It goes the way of what sidecars report: stored as a batch, and taken in from there.
"""

import itertools
import time

from controlplane.engine.feedback import OPERATORS
from controlplane.engine.runner import Engine
from controlplane.feedback.ledger import Place
from controlplane.ingest.feedback.wire import feedback_batch
from controlplane.ingest.rows import Batch, Hello
from serinus.contract.feedback import Feedback, Said
from serinus.contract.weight import CLASS_NONE
from serinus.v1 import admin_pb2


class Teller:
    """One a process: its batches have an epoch of their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._hello = Hello(OPERATORS, time.time_ns(), "")
        self._seq = itertools.count(1)

    async def tell(self, request: admin_pb2.FeedbackRequest) -> admin_pb2.FeedbackResponse:
        """Raises UnknownRequestError, TooOldError, ForgedRequestError, BadFeedbackError, StoreError; then nothing has
        changed."""
        engine = self._engine
        now_s = engine.now_ms() // 1_000
        engine.feedback.follow(engine.world, now_s)
        told, place = engine.feedback.read(request.request_id, _said(request), now_s)
        seq = next(self._seq)
        batch = Batch(seq, 0, (), None, 0, feedback=(told,))
        await engine.batch(self._hello, batch, feedback_batch(seq, batch.feedback))
        rollout = place.rollout if engine.world.running(place.rollout) is not None else ""
        return admin_pb2.FeedbackResponse(
            service=told.service, version=told.request.version, rollout=rollout, text=_sentence(told, place, rollout)
        )


def _said(request: admin_pb2.FeedbackRequest) -> Said:
    return Said(
        request.score if request.HasField("score") else None,
        request.predicted if request.HasField("predicted") else None,
        request.actual if request.HasField("actual") else None,
        request.margin if request.HasField("margin") else None,
        request.event,
        request.metric,
    )


def _sentence(told: Feedback, place: Place, rollout: str) -> str:
    counted = f"counted for version {told.request.version} of service {told.service}"
    if not rollout:
        return f"{counted}; no rollout runs that it could be evidence of"
    if place.asked.weight_class == CLASS_NONE:
        return f"{counted}; no weight dealt the request (pinned, or without a key), so it is no evidence"
    return f"{counted}; evidence of rollout {rollout}, if one of its guardrails asks for it"
