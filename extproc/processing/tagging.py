"""What a tag request is answered: from its service and headers, or from its shape alone where that is known.

Both ways count the request by its result. Pure but for that and for what is remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from extproc.clock import Clock
from extproc.cohort.decision import CompiledPolicy
from extproc.cohort.policies import PolicyHolder
from extproc.cohort.ruling import Ruling
from extproc.processing import codec, scan
from extproc.processing.tag import TagWriter
from extproc.telemetry.tables import Counter
from serinus.contract.bucket import BUCKET_COUNT, hash_of, place_of
from serinus.contract.feedback import Stamper
from serinus.contract.headers import COHORT_NO_KEY
from serinus.contract.request import PLAIN_KEY_BYTES

Values = Mapping[str, Sequence[bytes]]
_UNKNOWN_SERVICE = ("unknown_service",)


@dataclass(slots=True)
class _Plan:
    """What the answers to one ruling have in common, and how they are counted."""

    result: tuple[str]
    writer: TagWriter
    stamper: Stamper | None = None


class Tagging:
    """One a sidecar. `is_behind`: answers are late already; it is asked where an answer would be given at once."""

    __slots__ = ("_clock", "_policies", "_requests", "is_behind")

    def __init__(
        self, policies: PolicyHolder, requests: Counter, clock: Clock, is_behind: Callable[[], bool] = lambda: False
    ) -> None:
        self._policies = policies
        self._requests = requests
        self._clock = clock
        self.is_behind = is_behind

    def at_once(self, message: bytes) -> bytes | None:
        """The answer to a message of a known shape. None: nothing has happened, read it."""
        found = self._policies.shapes.find(message)
        if found is None or self.is_behind():
            return None
        foreseen, key = found
        if not key or key.translate(None, PLAIN_KEY_BYTES):
            return None
        policy, ruling = foreseen.policy, foreseen.settled
        if ruling is None and foreseen.look is not None:
            ruling = foreseen.seen.get(foreseen.look(key))
        if ruling is None:
            ruling = policy.decide_foreseen(foreseen, key, self._now_s(policy))
        plan: _Plan = ruling.plan or self._plan(policy, ruling)
        self._requests.add(plan.result)
        salted = policy.salted + key
        hashed = hash_of(salted)
        answer = plan.writer.with_key(salted, hashed, hashed % BUCKET_COUNT)
        return answer if plan.stamper is None else self._stamped(answer, plan, hashed)

    def answer(self, service: str, values: Values) -> bytes:
        """The answer to a message that was read."""
        policy = self._policies.compiled(service)
        if policy is None:
            self._requests.add(_UNKNOWN_SERVICE)
            return codec.CONTINUE
        return self._answer(policy, *policy.decide(values, self._now_s(policy)))

    def learn(self, message: bytes, service: str, values: Values) -> None:
        """From now on its shape may be known. `message` is one that `codec.tag_request` has read."""
        policy, shapes = self._policies.compiled(service), self._policies.shapes
        header = policy.key_header if policy is not None else ""
        key_at = scan.value_at(message, header) if header in values else 0
        if policy is not None and key_at and shapes.is_worth_learning(message, header, key_at):
            foreseen = policy.foresee(values)
            if foreseen is not None:
                shapes.learn(message, header, key_at, foreseen)

    def _now_s(self, policy: CompiledPolicy) -> int:
        return self._clock.now_ms() // 1_000 if policy.needs_time else 0

    def _answer(self, policy: CompiledPolicy, ruling: Ruling, key: bytes | None) -> bytes:
        plan: _Plan = ruling.plan or self._plan(policy, ruling)
        self._requests.add(plan.result)
        if key is None:
            answer, hashed = plan.writer.without_key, 0
        else:
            salted = policy.salted + key
            hashed, bucket = place_of(salted)
            answer = plan.writer.with_key(salted, hashed, bucket)
        return answer if plan.stamper is None else self._stamped(answer, plan, hashed)

    def _stamped(self, answer: bytes, plan: _Plan, key_hash: int) -> bytes:
        assert plan.stamper is not None, "asked by the callers"
        stamp = plan.stamper.stamp(self._clock.now_ms() // 1_000, key_hash)
        return b"".join((answer, plan.writer.to_stamp, stamp))

    def _plan(self, policy: CompiledPolicy, ruling: Ruling) -> _Plan:
        result = "tagged"
        if ruling.pin is not None:
            result = "no_key" if ruling.cohort == COHORT_NO_KEY else "pinned"
        feedback, stamper = policy.policy.feedback, None
        if feedback is not None:
            stamper = Stamper(feedback.key, policy.policy.service, ruling.cohort, self._policies.numbers)
        writer = TagWriter(ruling.cohort, ruling.pin, slices=ruling.slices, has_stamp=stamper is not None)
        ruling.plan = plan = _Plan((result,), writer, stamper)
        return plan
