"""The states of alert rules, who has seen them, and what is silenced until when. Mutable, bounded, no clock.

A rule is pending once what it asks is so, and fires when it has been so for its time. It is resolved when it has not
been so for RESOLVE_AFTER_MS (what flaps is one alert), or when nobody has been able to say for NO_DATA_MS. Kept in the
store as a whole, in a journal of its own of which the newest record counts.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from controlplane.engine.alerting.condition import Answer
from controlplane.errors import SerinusError
from controlplane.store.port import Record, StoreError

# No manifest has such a name, and of such a journal the store keeps the newest record.
JOURNAL = "@@rules"
FORMAT = 1
RESOLVE_AFTER_MS = 30_000
NO_DATA_MS = 600_000
SILENCES_MAX = 100
SILENCE_MS_MAX = 30 * 24 * 3_600_000


class UnknownRuleError(SerinusError):
    """No alert rule of that name."""

    code = "not_found"


class AlertStateError(SerinusError):
    """An act that does not fit what the rule does now, or a bound."""

    code = "alert_state"


@dataclass(frozen=True, slots=True)
class RuleState:
    """`since_ms`: pending since then, and what an episode is known by. `fired_ms` 0: pending. `so_ms`: when it was so
    last; `known_ms`: when anybody could say."""

    since_ms: int
    fired_ms: int
    so_ms: int
    known_ms: int
    text: str
    acked_by: str = ""
    acked_comment: str = ""

    @property
    def word(self) -> str:
        return "firing" if self.fired_ms else "pending"


@dataclass(frozen=True, slots=True)
class Silence:
    """Of one rule; "" of all."""

    rule: str
    author: str
    comment: str
    from_ms: int
    until_ms: int


@dataclass(slots=True)
class RuleBook:
    states: dict[str, RuleState] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    # What ended since somebody looked: the last state of each.
    resolved: dict[str, RuleState] = field(default_factory=dict)

    def step(self, rule: str, for_ms: int, found: Answer, now_ms: int) -> str:
        """What happened by it: `pending`, `firing`, `resolved`, or ""."""
        state = self.states.get(rule)
        if state is None:
            if not found.is_so:
                return ""
            self.states[rule] = state = RuleState(now_ms, 0, now_ms, now_ms, found.text)
            if for_ms:
                return "pending"
        known_ms = state.known_ms if found.is_so is None else now_ms
        so_ms = now_ms if found.is_so else state.so_ms
        state = replace(state, so_ms=so_ms, known_ms=known_ms, text=found.text if found.is_so else state.text)
        if not state.fired_ms:
            return self._pending(rule, state, for_ms, found, now_ms)
        is_over = found.is_so is False and now_ms - state.so_ms >= RESOLVE_AFTER_MS
        if is_over or now_ms - state.known_ms >= NO_DATA_MS:
            del self.states[rule]
            self.resolved[rule] = state
            return "resolved"
        self.states[rule] = state
        return ""

    def _pending(self, rule: str, state: RuleState, for_ms: int, found: Answer, now_ms: int) -> str:
        if not found.is_so:
            del self.states[rule]
            return ""
        is_due = now_ms - state.since_ms >= for_ms
        self.states[rule] = replace(state, fired_ms=now_ms) if is_due else state
        return "firing" if is_due else ""

    def keep(self, rules: Mapping[str, object]) -> None:
        """Of rules that are no more nothing is known."""
        self.states = {name: state for name, state in self.states.items() if name in rules}

    def acknowledged(self, rule: str, author: str, comment: str) -> None:
        """Somebody has seen it. Raises AlertStateError."""
        state = self.states.get(rule)
        if state is None or not state.fired_ms:
            raise AlertStateError(f"alert rule {rule} does not fire: there is nothing to acknowledge")
        self.states[rule] = replace(state, acked_by=author, acked_comment=comment)

    def silenced(self, silence: Silence) -> None:
        """In place of another silence of the same rule; one without a time ends it. Raises AlertStateError."""
        if silence.until_ms - silence.from_ms > SILENCE_MS_MAX:
            raise AlertStateError(
                "a silence is at most 720h", next_step="give less: what is to be silent for ever is deleted"
            )
        kept = [each for each in self.silences if each.rule != silence.rule and each.until_ms > silence.from_ms]
        if silence.until_ms > silence.from_ms:
            kept.append(silence)
        if len(kept) > SILENCES_MAX:
            raise AlertStateError(f"there are {SILENCES_MAX} silences already", next_step="end one of them")
        self.silences = tuple(kept)

    def silence_of(self, rule: str, now_ms: int) -> Silence | None:
        return next((each for each in self.silences if each.rule in ("", rule) and each.until_ms > now_ms), None)


def copied(book: RuleBook) -> RuleBook:
    """To be changed without changing this one."""
    return RuleBook(dict(book.states), book.silences)


def record_of(book: RuleBook, actor: str, text: str, now_ms: int) -> Record:
    kept = {
        "format": FORMAT,
        "states": {name: asdict(state) for name, state in book.states.items()},
        "silences": [asdict(each) for each in book.silences],
    }
    state = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return Record(JOURNAL, 0, now_ms, False, state, "rule", "rules", text, actor)


def book_of(record: Record) -> RuleBook:
    """Raises StoreError."""
    try:
        kept = json.loads(record.state)
        if kept["format"] != FORMAT:
            raise StoreError(
                f"record {record.serial} of {JOURNAL} has format {kept['format']}, this version reads {FORMAT}"
            )
        states = {str(name): RuleState(**state) for name, state in kept["states"].items()}
        return RuleBook(states, tuple(Silence(**each) for each in kept["silences"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"record {record.serial} of {JOURNAL} cannot be read: {error}") from error
