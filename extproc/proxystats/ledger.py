"""How many access-log entries Envoy wrote that no sidecar received. Pure arithmetic; a shell keeps it in a file.

Envoy itself cannot tell: its counters say nothing was lost while a third of the entries went to a dead sidecar. So:
lost = all entries up to a poll that is `LAG_MS` old, minus everything received until now by all sidecars of this Envoy
(old and new process at a hand-over both add to one ledger). The lag covers Envoy's flush (0.1 s) and the second at
which a process adds what it received. The sum never goes back: entries that were counted lost and come later stay so.
It is a lower bound: while requests come, what was received since the poll hides as many that were lost before it.

A sidecar killed with -9 never adds its last second: those entries count as lost, rightly, since their outcomes were
not reported. A restart of Envoy (its counter or its uptime went back) opens a new base: what came since the last poll
is taken as the new Envoy's, as far as its counter allows.

What was received is not yet safe: while the control plane is away it waits in the process. So each process writes down
how much it holds. What is held by one that is heard no more died with it, and so did what did not fit its queue.
"""

from dataclasses import asdict, dataclass, replace

# Flush 0.1 s + the other process's second + one poll's second, and some room.
LAG_MS = 2_500
# One poll a second of at most three processes over the lag.
POLLS_MAX = 16
# A process writes each second; one that was silent so long is gone, or hangs.
HELD_MS = 5_000


@dataclass(frozen=True, slots=True)
class Poll:
    """Envoy's counters at one moment; `written` includes what it dropped before sending."""

    at_ms: int
    written: int
    uptime_s: int


@dataclass(frozen=True, slots=True)
class Held:
    """Entries that a process has received, and the control plane has not acknowledged, at one moment."""

    epoch: int
    at_ms: int
    entries: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """`received`: by all sidecars, of all Envoys here. `received_base`: that sum when this Envoy started.
    `lost_before`: by earlier Envoys here. `lost`: never received, the total so far. `unreported`: received by a sidecar
    that could never report them."""

    received: int = 0
    received_base: int = 0
    received_at_poll: int = 0
    lost_before: int = 0
    lost: int = 0
    polls: tuple[Poll, ...] = ()
    held: tuple[Held, ...] = ()
    unreported: int = 0

    @property
    def missing(self) -> int:
        """Entries that no report will ever hold."""
        return self.lost + self.unreported


def hold(ledger: Ledger, held: Held, dropped: int) -> Ledger:
    """What a living process holds now, instead of what it said before; `dropped`: what it has given up since. Whatever
    is held by one that was not heard for `HELD_MS`, or said so at a time still to come, is gone."""
    others = [one for one in ledger.held if one.epoch != held.epoch]
    dead = [one for one in others if abs(held.at_ms - one.at_ms) > HELD_MS]
    own = (held,) if held.entries else ()
    unreported = ledger.unreported + dropped + sum(one.entries for one in dead)
    return replace(ledger, held=(*(one for one in others if one not in dead), *own), unreported=unreported)


def add_received(ledger: Ledger, entries: int) -> Ledger:
    return replace(ledger, received=ledger.received + entries)


def add_poll(ledger: Ledger, poll: Poll) -> Ledger:
    """Take Envoy's counter in and settle what is old enough. A poll that another process overtook is ignored."""
    last = ledger.polls[-1] if ledger.polls else None
    if last is not None and last.at_ms - LAG_MS <= poll.at_ms <= last.at_ms:
        return ledger
    if last is not None and _is_new_envoy(last, poll):
        ledger = _new_base(ledger, last, poll)
    if ledger.polls and poll.at_ms < ledger.polls[-1].at_ms:
        ledger = replace(ledger, polls=())  # the clock was set back: old polls cannot be compared any more
    polls = (*ledger.polls, poll)[-POLLS_MAX:]
    ledger = replace(ledger, polls=polls, received_at_poll=ledger.received)
    due = [old for old in polls if old.at_ms <= poll.at_ms - LAG_MS]
    if not due:
        return ledger
    ledger = _settle(ledger, due[-1].written, ledger.received - ledger.received_base)
    return replace(ledger, polls=polls[len(due) - 1 :])


def _is_new_envoy(last: Poll, poll: Poll) -> bool:
    return poll.written < last.written or poll.uptime_s < last.uptime_s


def _new_base(ledger: Ledger, last: Poll, poll: Poll) -> Ledger:
    of_new = min(ledger.received - ledger.received_at_poll, poll.written)
    ledger = _settle(ledger, last.written, ledger.received - of_new - ledger.received_base)
    return replace(ledger, lost_before=ledger.lost, received_base=ledger.received - of_new, polls=())


def _settle(ledger: Ledger, written: int, received: int) -> Ledger:
    return replace(ledger, lost=max(ledger.lost, ledger.lost_before + written - received))


def to_document(ledger: Ledger) -> dict[str, object]:
    """A value that JSON can hold."""
    return asdict(ledger)


def from_document(document: object) -> Ledger:
    """Raises ValueError on anything that `to_document` does not write."""
    if not isinstance(document, dict):
        raise ValueError("a ledger is a JSON object")
    try:
        polls = tuple(Poll(int(p["at_ms"]), int(p["written"]), int(p["uptime_s"])) for p in document["polls"])
        held = tuple(Held(int(h["epoch"]), int(h["at_ms"]), int(h["entries"])) for h in document.get("held", ()))
        numbers = {name: int(document[name]) for name in document if name not in ("polls", "held")}
        return Ledger(**numbers, polls=polls, held=held)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a ledger: {error!r}") from error
