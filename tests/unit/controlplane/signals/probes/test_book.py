"""From answers to what is up, down or unknown."""

from controlplane.manifest.load import load
from controlplane.manifest.probe import Probe
from controlplane.manifest.schema import ServiceSpec
from controlplane.signals.probes.book import PROBES_MAX, Answer, ProbeBook, State, probes_of
from tests.unit.controlplane.manifest.samples import SERVICE

STORE = Probe.model_validate({"name": "store", "tcp": "10.0.0.4:6333", "hold": True})
IDP = Probe.model_validate({"name": "idp", "url": "http://idp/health", "fails_after": 1})
REFUSED = Answer("Connection refused", 0.001)


def book() -> ProbeBook:
    found = ProbeBook()
    found.follow({("chat", "store"): STORE, ("chat", "idp"): IDP})
    return found


def states(of: ProbeBook, now_ms: int) -> list[State]:
    return [each.state for each in of.of("chat", now_ms)]


def test_nobody_was_asked_yet() -> None:
    fresh = book()
    assert states(fresh, 0) == [State.UNKNOWN, State.UNKNOWN]
    assert fresh.unknown("chat", 0) == "store was not asked yet", "who does not hold is not waited for"
    assert fresh.down("chat", 0) == ""
    assert fresh.of("mail", 0) == []


def test_one_lost_answer_is_no_outage_unless_the_manifest_says_so() -> None:
    found = book()
    for key in ("store", "idp"):
        found.add(("chat", key), REFUSED, 1_000)
    assert states(found, 1_000) == [State.UP, State.DOWN]
    assert found.down("chat", 5_000) == "idp has not answered for 4 s (Connection refused)"
    assert found.down("chat", 5_000, holding=True) == ""
    found.add(("chat", "store"), REFUSED, 11_000)
    assert found.down("chat", 21_000, holding=True) == "store has not answered for 20 s (Connection refused)"
    found.add(("chat", "store"), Answer("", 0.02), 22_000)
    up = found.of("chat", 22_000)[0]
    assert (up.state, up.since_ms, up.seconds) == (State.UP, 22_000, 0.02)


def test_an_answer_of_long_ago_is_none() -> None:
    found = book()
    found.add(("chat", "store"), Answer(), 0)
    good_ms = 3 * STORE.every_ms + STORE.timeout_ms
    assert [states(found, at_ms)[0] for at_ms in (good_ms, good_ms + 1)] == [State.UP, State.UNKNOWN]


def test_what_is_asked_otherwise_is_unknown_and_the_rest_goes_on() -> None:
    found = book()
    for key in ("store", "idp", "gone"):
        found.add(("chat", key), Answer(), 1_000)
    found.follow({("chat", "store"): STORE.model_copy(update={"timeout_ms": 1}), ("chat", "idp"): IDP})
    assert states(found, 1_000) == [State.UNKNOWN, State.UP]
    assert found.services() == ["chat"]


def test_probes_are_bounded_and_services_with_a_rollout_go_first() -> None:
    (manifest,) = load([("s.yaml", SERVICE)])
    assert isinstance(manifest.spec, ServiceSpec)
    many = tuple(STORE.model_copy(update={"name": f"p{number}"}) for number in range(16))
    spec = manifest.spec.model_copy(update={"probes": many})
    found = probes_of({f"s{number:02d}": spec for number in range(20)}, ["s19"])
    assert len(found) == PROBES_MAX
    assert [service for service, _ in list(found)[:17]] == ["s19"] * 16 + ["s00"]
