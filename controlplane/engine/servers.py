"""What the servers of a rollout's two versions say of themselves, as its facts, its finding and its series need it.
Pure."""

from collections.abc import Iterator

from controlplane.evidence.verdict import Assessment, Verdict
from controlplane.rollout.events import ServersFact
from controlplane.rollout.model import Rollout
from controlplane.signals.book import CACHE_FULL, SignalBook, VersionSignals
from controlplane.signals.probes.book import State
from controlplane.signals.signal import Signal
from controlplane.telemetry.metric import Metric
from controlplane.telemetry.probes import PROBE_DURATION, PROBE_UP
from controlplane.telemetry.servers import SERVER_MEMORY_GROWTH, SERVER_SIGNALS, SERVER_SOURCES
from serinus.contract.metric import EITHER, ERRORS, FORMS, LATENCY, TTFT

# What a want of servers does to users. It changes no answer: who never comes to an end fills its servers by that.
_OF_CAPACITY = (ERRORS, LATENCY, *FORMS[EITHER], TTFT)


def servers_fact(book: SignalBook, rollout: Rollout, now_ms: int) -> ServersFact:
    """Of the candidate."""
    seen = book.of(rollout.spec.service, rollout.spec.candidate, now_ms)
    return ServersFact(seen.sources, seen.answering, seen.cache_peak, seen.queue_peak)


def shortage(book: SignalBook, rollout: Rollout, now_ms: int) -> str:
    """How full the candidate's servers are while the baseline's are not; "" if they are not, or one side is not seen:
    without the baseline beside it a full server may be what everyone has."""
    candidate = book.of(rollout.spec.service, rollout.spec.candidate, now_ms)
    baseline = book.of(rollout.spec.service, rollout.baseline, now_ms)
    if not candidate.is_full or baseline.is_full or not baseline.answering:
        return ""
    return f"the candidate's servers are full ({_full_words(candidate)})"


def explains(full: str, seen: Assessment | None) -> str:
    """The shortage, unless the candidate is worse by something that it cannot explain: the metric that carries the
    evidence."""
    if seen is None or seen.verdict is not Verdict.WORSE:
        return full
    return full if max(seen.rows, key=lambda row: row.worse_log_e).metric in _OF_CAPACITY else ""


def server_series(book: SignalBook, now_ms: int) -> Iterator[tuple[Metric, float, tuple[str, ...]]]:
    """Every sample of every version that is read."""
    for names in sorted(book.versions()):
        seen = book.of(*names, now_ms)
        yield SERVER_SOURCES, seen.answering, (*names, "answering")
        yield SERVER_SOURCES, seen.sources - seen.answering, (*names, "silent")
        for metric in SERVER_SIGNALS:
            signal = Signal(metric.name.removeprefix("serinus_server_"))
            if signal in seen.reading:
                yield metric, seen.reading[signal], names
        if seen.growth is not None:
            yield SERVER_MEMORY_GROWTH, seen.growth.slope, (*names, str(seen.growth.is_steady).lower())


def probe_series(book: SignalBook, now_ms: int) -> Iterator[tuple[Metric, float, tuple[str, ...]]]:
    """Every sample of every probe that has an answer."""
    for service in book.probes.services():
        for one in book.probes.of(service, now_ms):
            if one.state is not State.UNKNOWN:
                yield PROBE_UP, float(one.state is State.UP), (service, one.probe.name)
                yield PROBE_DURATION, one.seconds, (service, one.probe.name)


def _full_words(seen: VersionSignals) -> str:
    cache, waiting = seen.reading.get(Signal.KV_CACHE, 0.0), seen.reading.get(Signal.QUEUE, 0.0)
    words = [f"KV cache {cache:.0%}"] if cache >= CACHE_FULL else []
    running = seen.reading.get(Signal.RUNNING)
    beside = f" beside {running:.0f} that run" if running is not None else ""
    if waiting or not words:
        words.append(f"{waiting:.0f} requests wait{beside}")
    return ", ".join(words)
