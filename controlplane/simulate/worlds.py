"""Worlds: what the traffic does and how the two versions fail, second by second. Values only.

- `steady`, and shared troubles of both versions: `drift` (rates rise from 0.4 to 2 times the baseline's), `incident`
  (10 % for 45 s), `outage` (3 % for 6 minutes);
- `late`: the candidate becomes what it is asked to be from second 300 on;
- `streams`: good answers take 10-30 s, failures end at once;
- `sticky`: 5,000 users of whom as many as the error rate says always fail; `unlike`: users with rates of their own,
  Beta(.05, .) with the same mean; `heavy-keys`: ten users send 80 % of the requests and never fail.
A candidate that differs multiplies its users' rates.
"""

from dataclasses import dataclass

import numpy as np

from controlplane.errors import SerinusError
from controlplane.evidence.kernel import Floats

NAMES = ("steady", "drift", "incident", "outage", "late", "streams", "sticky", "unlike", "heavy-keys")
LATE_S = 300
STREAM_S = (10, 30)
_USERS = 5_000
_HEAVY_USERS = 10
_HEAVY_SHARE = 0.8


class WorldError(SerinusError):
    """A world that cannot be."""

    code = "invalid_world"


@dataclass(frozen=True, slots=True)
class Users:
    """Sticky users: their shares of the requests, and how often they fail on the baseline (times `World.baseline`
    over its first value)."""

    shares: Floats
    rates: Floats


@dataclass(frozen=True, slots=True)
class World:
    """Failure rates per second of the rollout; users None: each request is a key of its own."""

    rps: float
    baseline: Floats
    candidate: Floats
    users: Users | None = None
    load: Floats | None = None  # requests per second, over `rps`, by second; None: always `rps`
    stream_s: tuple[int, int] | None = None  # good answers take that long, uniformly; None: no time at all

    @property
    def seconds(self) -> int:
        return len(self.baseline)

    def requests(self, second: int) -> float:
        """Expected in that second."""
        return self.rps if self.load is None else self.rps * float(self.load[second])


def world_of(
    name: str, *, rps: float, baseline: float, candidate: float, seconds: int, rng: np.random.Generator
) -> World:
    """Raises WorldError. `rng` draws the users; each call is another population."""
    if name not in NAMES:
        raise WorldError(f"no world {name!r}", next_step=f"one of {', '.join(NAMES)}")
    if not (0.0 < baseline < 1.0 and 0.0 <= candidate <= 1.0):
        raise WorldError(f"error rates {baseline} and {candidate}", next_step="give shares: above 0, below 1")
    if not 0.0 < rps <= 1e6 or not 0 < seconds <= 86_400:
        raise WorldError(f"{rps} requests/s for {seconds} s", next_step="up to a million requests/s and a day")
    rate = _shared(name, baseline, seconds)
    own = rate * (candidate / baseline)
    if name == "late":
        own = np.where(np.arange(seconds) >= LATE_S, own, rate)
    own = np.minimum(own, 1.0)
    return World(rps, rate, own, _users(name, baseline, rng), stream_s=STREAM_S if name == "streams" else None)


def _shared(name: str, rate: float, seconds: int) -> Floats:
    """The baseline's rate by second."""
    t = np.arange(seconds)
    if name == "drift":
        return np.linspace(0.4 * rate, min(2.0 * rate, 1.0), seconds)
    if name == "incident":
        return np.where((t >= 200) & (t < 245), max(rate, 0.10), rate)
    if name == "outage":
        return np.where((t >= 120) & (t < 480), max(rate, 0.03), rate)
    return np.full(seconds, rate)


def _users(name: str, rate: float, rng: np.random.Generator) -> Users | None:
    alike = np.full(_USERS, 1.0 / _USERS)
    if name == "sticky":
        return Users(alike, (rng.random(_USERS) < rate).astype(np.float64))
    if name == "unlike":
        return Users(alike, rng.beta(0.05, 0.05 * (1.0 - rate) / rate, _USERS))
    if name == "heavy-keys":
        shares = np.full(_USERS, (1.0 - _HEAVY_SHARE) / (_USERS - _HEAVY_USERS))
        shares[:_HEAVY_USERS] = _HEAVY_SHARE / _HEAVY_USERS
        rates = np.full(_USERS, min(1.0, rate / (1.0 - _HEAVY_SHARE)))
        rates[:_HEAVY_USERS] = 0.0
        return Users(shares, rates)
    return None
