"""What an id says is held against the snapshots that were in force, from routes and from rows alike."""

from dataclasses import replace

import pytest

from controlplane.feedback.errors import ForgedRequestError
from controlplane.feedback.ledger import SNAPSHOTS_MAX, Arms, Place, SnapshotLedger
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.route import service_snapshot
from serinus.contract.feedback import RequestId, cohort_code, service_code
from tests.unit.controlplane.snapshot.factory import STAFF, at, service

NOW_S = 1_790_000_000
HALF = {"name": "eu", "match": {"header": {"name": "x-region", "exact": "eu"}}, "weight_factor": 0.5}
CHAT = service(cohorts=[STAFF, HALF], feedback=True)
# Its bucket: 4000, the candidate's from 50 % on, and in the class of half the weight from 100 % on.
KEY = 994_000


def arms(rollout: str) -> Arms | None:
    return ("v1", "v2") if rollout == "chat-v2" else None


def request(route: ServiceRoute, *, version: str = "v2", cohort: str = "everyone", **more: object) -> RequestId:
    one = RequestId(NOW_S, KEY, service_code("chat"), cohort_code(cohort), 77, service_snapshot(route), version)
    return replace(one, **more)  # type: ignore[arg-type]


def placed(ledger: SnapshotLedger, one: RequestId) -> Place:
    return ledger.place("chat", one, versions=("v1", "v2"), arms=arms)


def in_force(*routes: tuple[ServiceRoute, int]) -> SnapshotLedger:
    ledger = SnapshotLedger()
    for route, now_s in routes:
        ledger.in_force(route, now_s)
    return ledger


def test_a_request_is_placed_by_its_bucket_and_the_weight_in_force() -> None:
    place = placed(in_force((at(CHAT, 5_000), NOW_S)), request(at(CHAT, 5_000)))
    asked = place.asked
    assert (place.rollout, asked.weight_class, asked.weight_bp, asked.is_candidate) == ("chat-v2", "1", 5_000, True)
    assert (asked.slot, asked.key, asked.request) == (NOW_S, KEY, 77)


def test_a_class_of_its_own_has_its_own_weight() -> None:
    ledger = in_force((at(CHAT, 5_000), NOW_S))
    asked = placed(ledger, request(at(CHAT, 5_000), cohort="eu", version="v1")).asked
    assert (asked.weight_class, asked.weight_bp, asked.is_candidate) == ("0.5", 2_500, False)


def test_a_version_that_the_bucket_cannot_have_met_is_forged() -> None:
    ledger = in_force((at(CHAT, 5_000), NOW_S))
    for cohort, version in (("everyone", "v1"), ("eu", "v2"), ("everyone", "v9")):
        with pytest.raises(ForgedRequestError, match=r"cannot have answered|has no version 'v9'"):
            placed(ledger, request(at(CHAT, 5_000), cohort=cohort, version=version))


def test_a_snapshot_that_never_was_is_forged() -> None:
    with pytest.raises(ForgedRequestError, match="'0000000000000000' of service chat is not known"):
        placed(in_force((at(CHAT, 5_000), NOW_S)), request(at(CHAT, 5_000), snapshot="0" * 16))


@pytest.mark.parametrize("start_s", [NOW_S - 61, NOW_S + 161])
def test_a_start_outside_of_the_life_of_a_snapshot_is_forged(start_s: int) -> None:
    ledger = in_force((at(CHAT, 5_000), NOW_S), (at(CHAT, 10_000), NOW_S + 100))
    with pytest.raises(ForgedRequestError, match="not in force when the request started"):
        placed(ledger, request(at(CHAT, 5_000), start_s=start_s))
    assert placed(ledger, request(at(CHAT, 5_000), start_s=NOW_S + 99)).rollout == "chat-v2"


def test_a_snapshot_that_comes_back_lives_on() -> None:
    ledger = in_force((at(CHAT, 5_000), NOW_S), (at(CHAT, 100), NOW_S + 100), (at(CHAT, 5_000), NOW_S + 500))
    assert placed(ledger, request(at(CHAT, 5_000), start_s=NOW_S + 10_000)).asked.weight_bp == 5_000


@pytest.mark.parametrize(
    ("cohort", "key", "version"),
    [("staff", KEY, "v2"), ("no_key", 0, "v1"), ("everyone", 0, "v1"), ("token", KEY, "v1")],
)
def test_whom_no_weight_dealt_gives_no_evidence(cohort: str, key: int, version: str) -> None:
    ledger = in_force((at(CHAT, 5_000), NOW_S))
    assert placed(ledger, request(at(CHAT, 5_000), cohort=cohort, key=key, version=version)).asked.weight_class == ""


def test_without_a_rollout_there_is_no_evidence_and_the_version_must_be_one_of_the_service() -> None:
    place = placed(in_force((CHAT, NOW_S)), request(CHAT, version="v1"))
    assert (place.rollout, place.asked.weight_class) == ("", "")


def test_rows_alone_tell_as_much_as_routes() -> None:
    ledger = SnapshotLedger()
    for cohort, weight_class, weight_bp in (("everyone", "1", 5_000), ("eu", "0.5", 2_500), ("staff", "", 5_000)):
        ledger.learn(
            "chat",
            service_snapshot(at(CHAT, 5_000)),
            rollout="chat-v2",
            cohort=cohort,
            weight_class=weight_class,
            weight_bp=weight_bp,
            slot=NOW_S,
        )
    known = in_force((at(CHAT, 5_000), NOW_S))
    for cohort, version in (("everyone", "v2"), ("eu", "v1"), ("staff", "v2")):
        one = request(at(CHAT, 5_000), cohort=cohort, version=version)
        assert placed(ledger, one) == placed(known, one)


def test_the_oldest_snapshots_go_and_the_one_in_force_stays() -> None:
    ledger = in_force((at(CHAT, 10_000), 1))
    for weight_bp in range(SNAPSHOTS_MAX + 20):
        ledger.in_force(at(CHAT, weight_bp), NOW_S + weight_bp)
    newest = at(CHAT, SNAPSHOTS_MAX + 19)
    late = request(newest, version="v1", start_s=NOW_S + SNAPSHOTS_MAX + 20)
    assert placed(ledger, late).asked.weight_bp == SNAPSHOTS_MAX + 19
    with pytest.raises(ForgedRequestError):
        placed(ledger, request(at(CHAT, 10_000), start_s=1))


def test_a_service_that_has_gone_is_forgotten() -> None:
    ledger = in_force((at(CHAT, 5_000), NOW_S))
    ledger.keep(())
    with pytest.raises(ForgedRequestError):
        placed(ledger, request(at(CHAT, 5_000)))
