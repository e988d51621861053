"""Operators and the servers that hooks call, as a rollout under faults meets them."""

import random

from controlplane.errors import SerinusError
from controlplane.rollout.events import Abort, Approve, Event, HooksEnded, Pause, Resume, Retry
from controlplane.rollout.hooks import hook_of
from controlplane.rollout.model import Paused, RollingBack, Rollout, unapproved_bp
from controlplane.rollout.transition import ApprovalError, IllegalEventError
from tests.sim.disk import CrashError
from tests.sim.plane import Call, Plane
from tests.sim.plans import APPROVED_BP
from tests.sim.rules import People, need
from tests.sim.weather import Weather


class Operators:
    """What they do in a second: events for the plane."""

    def __init__(self, weather: Weather, people: People) -> None:
        self._weather, self._people = weather, people
        self._random: random.Random = weather.random

    def wish(self, rollout: Rollout, now_ms: int, *, is_calm: bool) -> Event | None:
        phase = rollout.phase
        if is_calm and isinstance(phase, Paused):
            return Resume(now_ms, "sim", "")
        share = 1.0 if is_calm else 0.3
        if (step_bp := unapproved_bp(rollout)) and self._random.random() < share:
            return Approve(now_ms, "sim", "", step_bp)
        run = hook_of(phase)
        if run is not None and run.outcome == "failed" and not rollout.is_terminal and self._random.random() < share:
            return Retry(now_ms, "sim", "")
        if is_calm or self._random.random() >= 0.04:
            return None
        if "approvals" in self._people.features and self._random.random() < 0.5:
            return Approve(now_ms, "sim", "", self._random.choice(APPROVED_BP))
        return self._random.choice([Pause, Resume, Abort])(now_ms, "sim", "")

    def tell(self, plane: Plane, event: Event) -> None:
        """Whatever is refused has changed nothing."""
        before = plane.rollout
        is_running = not before.is_terminal and not isinstance(before.phase, RollingBack)
        try:
            plane.step(event)
        except (IllegalEventError, ApprovalError):
            need(not (isinstance(event, Abort) and is_running), "an abort is always possible")
            need(plane.rollout == before, "what is refused changes nothing")
            if isinstance(event, Approve) and event.step_bp in self._people.approved:
                self._weather.met["second approval refused"] += 1
        except (SerinusError, CrashError):
            if isinstance(event, Approve):
                # It may be in the journal or not: who asked does not know.
                self._people.approved.add(event.step_bp)
            raise
        else:
            if isinstance(event, Approve):
                self._people.approved.add(event.step_bp)


class HookServers:
    """They answer after a time, yes or no, always the same to one key; an answer may be lost on its way."""

    def __init__(self, weather: Weather, people: People) -> None:
        self._weather, self._people = weather, people

    def answer(self, plane: Plane, now_ms: int, *, is_calm: bool) -> HooksEnded | None:
        run = hook_of(plane.rollout.phase)
        if run is None or run.outcome != "running":
            return None
        call = plane.calls.get(run.key)
        if call is None:
            call = plane.calls[run.key] = self._call(run.key, now_ms, is_calm=is_calm)
        if now_ms < call.due_ms:
            return None
        return HooksEnded(now_ms, run.key, call.passed, "yes" if call.passed else "no")

    def _call(self, key: str, now_ms: int, *, is_calm: bool) -> Call:
        self._people.called(key)
        random = self._weather.random
        if key in self._people.said:
            self._weather.met["hook called again"] += 1
        else:
            self._people.said[key] = is_calm or random.random() < 0.75
            if not self._people.said[key]:
                self._weather.met["hook said no"] += 1
        passed = self._people.said[key]
        if not is_calm and passed and self._weather.comes(0.1, "hook's answer lost"):
            passed = False
        return Call(now_ms + (0 if is_calm else random.randint(0, 2_500)), passed)
