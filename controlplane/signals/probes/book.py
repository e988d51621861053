"""Whether what services lean on answers. Mutable, single-threaded, no clock, bounded by what is followed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controlplane.manifest.probe import Probe
from controlplane.manifest.schema import ServiceSpec

# A probe is a connection every few seconds.
PROBES_MAX = 256

Key = tuple[str, str]  # service, probe


class State(StrEnum):
    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one probe; `fault` "": it answered."""

    fault: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProbeState:
    """`since_ms`: of the first answer that was like this. `fault`: of the newest one, in words."""

    probe: Probe
    state: State
    since_ms: int = 0
    fault: str = ""
    seconds: float = 0.0

    def words(self, now_ms: int) -> str:
        """For a sentence."""
        if self.state is State.UNKNOWN:
            return f"{self.probe.name} was not asked yet"
        for_s = max(now_ms - self.since_ms, 0) // 1_000
        return f"{self.probe.name} has not answered for {for_s} s ({self.fault})"


@dataclass(slots=True)
class _Kept:
    probe: Probe
    at_ms: int = 0
    since_ms: int = 0
    failures: int = 0
    last: Answer | None = None


class ProbeBook:
    def __init__(self) -> None:
        self._kept: dict[Key, _Kept] = {}
        self._of: dict[str, list[_Kept]] = {}

    def follow(self, probes: Mapping[Key, Probe]) -> None:
        """Of others, and of what is asked otherwise now, nothing is remembered."""
        before = self._kept
        self._kept = {
            key: before[key] if key in before and before[key].probe == probe else _Kept(probe)
            for key, probe in probes.items()
        }
        self._of = {}
        for (service, _), kept in self._kept.items():
            self._of.setdefault(service, []).append(kept)

    def add(self, key: Key, answer: Answer, now_ms: int) -> None:
        kept = self._kept.get(key)
        if kept is None:
            return
        is_other = kept.last is None or bool(kept.last.fault) != bool(answer.fault)
        kept.since_ms = now_ms if is_other else kept.since_ms
        kept.failures = kept.failures + 1 if answer.fault else 0
        kept.last, kept.at_ms = answer, now_ms

    def of(self, service: str, now_ms: int) -> list[ProbeState]:
        """In the manifest's order."""
        return [_state(kept, now_ms) for kept in self._of.get(service, ())]

    def services(self) -> list[str]:
        return sorted(self._of)

    def down(self, service: str, now_ms: int, *, holding: bool = False) -> str:
        """What does not answer, in words; "" if all do. `holding`: of those that hold alone."""
        found = [one for one in self.of(service, now_ms) if one.probe.hold or not holding]
        return ", ".join(one.words(now_ms) for one in found if one.state is State.DOWN)

    def unknown(self, service: str, now_ms: int) -> str:
        """Those that hold and were not asked, in words."""
        found = self.of(service, now_ms)
        return ", ".join(one.words(now_ms) for one in found if one.probe.hold and one.state is State.UNKNOWN)


def _state(kept: _Kept, now_ms: int) -> ProbeState:
    """An answer is good until two more should have come."""
    probe, last = kept.probe, kept.last
    if last is None or now_ms - kept.at_ms > 3 * probe.every_ms + probe.timeout_ms:
        return ProbeState(probe, State.UNKNOWN)
    if not last.fault:
        return ProbeState(probe, State.UP, kept.since_ms, "", last.seconds)
    state = State.DOWN if kept.failures >= probe.fails_after else State.UP
    return ProbeState(probe, state, kept.since_ms, last.fault, last.seconds)


def probes_of(services: Mapping[str, ServiceSpec], first: Collection[str] = ()) -> dict[Key, Probe]:
    """From the manifests; those of `first` (with a rollout) go before the others."""
    found: dict[Key, Probe] = {}
    for service in sorted(services, key=lambda name: (name not in first, name)):
        for probe in services[service].probes:
            if len(found) == PROBES_MAX:
                return found
            found[service, probe.name] = probe
    return found
