"""What `serinus doctor` concludes from what it has seen: one line a check, worst first, each with what to do. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from serinus.v1 import admin_pb2


class State(StrEnum):
    """In the order in which they are shown."""

    FAIL = "fail"
    WARN = "warn"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Check:
    """`next_step` is empty where there is nothing to do."""

    name: str
    state: State
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one address said. `error` empty: all is well; `is_there`: something answered."""

    name: str
    address: str
    is_there: bool
    error: str = ""


# What to do when a part that should answer does not, or says that it is not ready.
_NEXT = {
    "control plane": "start it: serinus controlplane, or serinus up -f FILE; or give --admin and --http",
    "sidecar": "start it: serinus extproc; or give --sidecar-http",
    "envoy": "start it: envoy -c <(serinus bootstrap …); or give --envoy-admin",
}


def parts(answers: Sequence[Answer]) -> list[Check]:
    """Of control plane, sidecar and Envoy. Where none answers, nothing is running, which is no fault."""
    if not any(answer.is_there for answer in answers):
        where = ", ".join(f"{answer.name} {answer.address}" for answer in answers)
        return [Check("running", State.NOTE, f"nothing answers ({where})", "serinus up -f FILE, or serinus demo")]
    return [_part(answer) for answer in answers]


def _part(answer: Answer) -> Check:
    if not answer.is_there:
        return Check(answer.name, State.FAIL, f"{answer.address} does not answer: {answer.error}", _NEXT[answer.name])
    if answer.error:
        return Check(answer.name, State.FAIL, f"{answer.address} is not ready: {answer.error}", "see its log")
    return Check(answer.name, State.OK, f"{answer.address} is ready")


def proxies(seen: Iterable[admin_pb2.ProxyView]) -> list[Check]:
    """Of the proxies that the control plane knows."""
    views = list(seen)
    if not views:
        return [Check("proxies", State.WARN, "none is connected", "start an Envoy with what serinus bootstrap prints")]
    return [check for view in views for check in _proxy(view)]


def _proxy(view: admin_pb2.ProxyView) -> list[Check]:
    name, found = f"proxy {view.node}", []
    if view.last_error:
        words = f"rejects its configuration: {view.last_error}"
        found.append(Check(name, State.FAIL, words, f"serinus describe proxy {view.node}"))
    elif view.state != "up to date":
        found.append(Check(name, State.WARN, f"is {view.state}", "wait; it holds rollouts while it lasts"))
    if not view.sidecar_connected:
        found.append(
            Check(name, State.FAIL, "has no sidecar: requests pass untagged, and rollouts hold", _NEXT["sidecar"])
        )
    for cluster in view.clusters:
        if cluster.endpoints and not cluster.healthy:
            text = f"finds no healthy server of {cluster.cluster or cluster.version}"
            found.append(Check(name, State.FAIL, text, "start the model server, or see `health` of the version"))
    return found or [Check(name, State.OK, "up to date, with its sidecar")]


def refusals(seen: Iterable[admin_pb2.RefusalView]) -> list[Check]:
    """Of proxies that were not let in."""
    return [
        Check(f"proxy {one.node or '?'}", State.WARN, f"was refused: {one.reason}", "see its bootstrap") for one in seen
    ]


def rollouts(seen: Iterable[admin_pb2.RolloutView]) -> list[Check]:
    """Of those that run."""
    running = [view for view in seen if not view.terminal]
    return [
        Check(f"rollout {view.name}", State.NOTE, f"{view.phase}: {view.message}", f"serinus explain {view.name}")
        for view in running
    ]


def ranked(checks: Iterable[Check]) -> list[Check]:
    """The worst first; among equals as they came."""
    order = {state: place for place, state in enumerate(State)}
    return sorted(checks, key=lambda check: order[check.state])


def is_well(checks: Iterable[Check]) -> bool:
    return all(check.state is not State.FAIL for check in checks)


def as_data(checks: Iterable[Check]) -> Mapping[str, object]:
    """For -o json."""
    rows = [{"check": one.name, "state": one.state.value, "text": one.text, "next": one.next_step} for one in checks]
    return {"ok": all(row["state"] != State.FAIL.value for row in rows), "checks": rows}
