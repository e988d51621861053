"""Feedback in the engine: what it is held against, how it counts, and that a restart changes none of it."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from controlplane.engine.evidence import EvidenceTracker, tracker_of
from controlplane.engine.feedback import OPERATORS, FeedbackDesk
from controlplane.engine.recover import replay
from controlplane.engine.routing import service_route
from controlplane.engine.world import World, plan_apply
from controlplane.evidence.verdict import Verdict
from controlplane.feedback.errors import BadFeedbackError, ForgedRequestError, TooOldError, UnknownRequestError
from controlplane.ingest.feedback.wire import feedback_batch
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.rollout.effects import BeginStep
from controlplane.rollout.model import Observing, Promoted
from controlplane.snapshot.route import service_snapshot
from controlplane.store.port import StoredBatch
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.feedback import AGE_S_MAX, Feedback, Said, Stamper, request_of
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

KEY = b"k" * 32
T0_S = 1_790_000_000
FED = SERVICE.replace("  baseline: v1\n", "  baseline: v1\n  feedback: true\n")
SCORED = ROLLOUT.replace("{metric: finish_reason, of: length, margin: 20pp}", "{metric: score, margin: 5pp, wait: 10s}")
UP, DOWN = Said(score=1.0), Said(score=0.0)


def at_half() -> World:
    """The rollout stands at 50 %."""
    world = plan_apply(World(), load([("a.yaml", f"{FED}---\n{SCORED}")]), T0_S * 1000).world
    return world.with_rollout(replace(world.rollout("chat-v2"), phase=Observing(1, T0_S * 1000)))


WORLD = at_half()
SNAPSHOT = service_snapshot(service_route(WORLD, WORLD.services["chat"]))


def ids(key: bytes = KEY, service: str = "chat") -> Iterator[bytes]:
    numbers = itertools.count(1)
    for key_hash in range(10**9, 10**10, 9_973):
        yield Stamper(key, service, "everyone", numbers).stamp(T0_S + key_hash // 9_973 % 50, key_hash)


def version_of(stamp: bytes) -> str:
    found = request_of(KEY, f"{stamp.decode()}..")
    assert found is not None
    return "v2" if found.key % BUCKET_COUNT < 5_000 else "v1"


def an_id(*, start_s: int = T0_S, key: int = 1_234, version: str = "v2", snapshot: str = SNAPSHOT) -> str:
    return f"{Stamper(KEY, 'chat', 'everyone', itertools.count(1)).stamp(start_s, key).decode()}.{snapshot}.{version}"


class Desk:
    """A desk with the tracker of the one rollout, as a process has them."""

    def __init__(self, world: World = WORLD) -> None:
        self.desk = FeedbackDesk(KEY)
        self.desk.follow(world, T0_S)
        rollout = world.rollout("chat-v2")
        self.trackers: dict[str, EvidenceTracker] = {"chat-v2": tracker_of(rollout, world.services["chat"].spec)}
        self.trackers["chat-v2"].begin(BeginStep(0, T0_S, 5_000, 10_000))

    def told(self, text: str, said: Said, now_s: int) -> Feedback:
        feedback, _ = self.desk.read(text, said, now_s)
        return feedback

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Of service chat, and of others."""
        assert {key[0] for key in self.desk.counts} <= {"chat", "other"}
        return Counter(key[1:] for key in self.desk.counts.elements())


def test_what_is_said_of_a_request_counts_for_its_version_and_is_evidence() -> None:
    here = Desk()
    here.desk.take(here.trackers, [here.told(an_id(), UP, T0_S + 3)], T0_S + 3)
    assert here.counts() == {("v2", "score", "evidence"): 1}
    assert "1 scores taken" in here.trackers["chat-v2"].labels.sentences()[0]


def test_what_is_said_again_counts_as_repeated() -> None:
    here = Desk()
    told = here.told(an_id(), UP, T0_S + 3)
    here.desk.take(here.trackers, [told, told, replace(told, said=DOWN)], T0_S + 3)
    assert here.counts() == {("v2", "score", "evidence"): 1, ("v2", "score", "repeated"): 2}
    assert "1 scores taken" in here.trackers["chat-v2"].labels.sentences()[0]


@pytest.mark.parametrize(
    ("text", "said", "now_s", "error"),
    [
        (an_id()[1:], UP, T0_S, UnknownRequestError),
        ("no id at all", UP, T0_S, UnknownRequestError),
        (f"{next(ids(b'j' * 32)).decode()}.{SNAPSHOT}.v2", UP, T0_S, UnknownRequestError),
        (f"{next(ids(service='sing')).decode()}.{SNAPSHOT}.v2", UP, T0_S, UnknownRequestError),
        (an_id(start_s=T0_S + 61), UP, T0_S, UnknownRequestError),
        (an_id(), UP, T0_S + AGE_S_MAX + 1, TooOldError),
        (an_id(version="v1"), UP, T0_S, ForgedRequestError),
        (an_id(version="v3"), UP, T0_S, ForgedRequestError),
        (an_id(snapshot="f" * 16), UP, T0_S, ForgedRequestError),
        (an_id(), Said(score=2.0), T0_S, BadFeedbackError),
        (an_id(), Said(score=float("nan")), T0_S, BadFeedbackError),
        (an_id(), Said(), T0_S, BadFeedbackError),
    ],
)
def test_bad_input_is_a_typed_error(text: str, said: Said, now_s: int, error: type[Exception]) -> None:
    here = Desk()
    with pytest.raises(error):
        here.desk.read(text, said, now_s)
    assert here.counts() == {}


def test_what_a_sidecar_let_through_and_cannot_be_counts_by_its_reason_and_is_no_evidence() -> None:
    here = Desk()
    good = here.told(an_id(), UP, T0_S)
    forged = [
        replace(good, request=replace(good.request, version="v1")),
        replace(good, request=replace(good.request, snapshot="f" * 16)),
        replace(good, service="sing"),
    ]
    here.desk.take(here.trackers, forged, T0_S)
    here.desk.take(here.trackers, [good], T0_S + AGE_S_MAX + 1)
    assert here.counts() == {("other", "score", "forged"): 3, ("other", "score", "too_old"): 1}
    assert here.trackers["chat-v2"].labels.sentences() == ("0 scores taken, 0 of them wait" + _LAG,)


_LAG = ": none of this step has been judged yet, each waits 10 s (label lag)"


def test_a_kind_that_no_guardrail_asks_for_and_a_rollout_that_has_ended_give_no_evidence() -> None:
    here = Desk()
    here.desk.take(here.trackers, [here.told(an_id(), Said(event="clicked"), T0_S)], T0_S)
    ended = WORLD.with_rollout(replace(WORLD.rollout("chat-v2"), phase=Promoted(T0_S * 1000)))
    here.desk.follow(ended, T0_S + 1)
    here.desk.take(here.trackers, [here.told(an_id(key=2_345), UP, T0_S + 1)], T0_S + 1)
    assert here.counts() == {("v2", "event", "no_evidence"): 1, ("v2", "score", "no_evidence"): 1}


def test_a_worse_candidate_is_found_by_scores_that_come_late_and_a_restart_comes_to_the_same() -> None:
    live, stored = Desk(), []
    for seq, feedback in enumerate(_said_by_everyone(live), 1):
        at_s = feedback.request.start_s + 7
        payload = feedback_batch(seq, (feedback,))
        stored.append(StoredBatch(OPERATORS, 1, seq, at_s * 1000, payload))
    stored.sort(key=lambda batch: batch.at_ms)
    again = Desk()
    assert replay(live.trackers, stored, live.desk) == len(stored)
    replay(again.trackers, stored, again.desk)
    for here in (live, again):
        here.trackers["chat-v2"].labels.advance(T0_S + 100)
    assert _shown(live.trackers["chat-v2"]) == _shown(again.trackers["chat-v2"])
    assert live.desk.counts == again.desk.counts
    fact = live.trackers["chat-v2"].evidence_fact()
    assert fact.verdict is Verdict.WORSE
    assert fact.sentence.startswith("score: ")


def _said_by_everyone(here: Desk) -> Sequence[Feedback]:
    """400 requests in 50 s: the baseline's answers are liked, the candidate's are not."""
    stamps = itertools.islice(ids(), 400)
    return [
        here.told(
            f"{stamp.decode()}.{SNAPSHOT}.{version_of(stamp)}", UP if version_of(stamp) == "v1" else DOWN, T0_S + 50
        )
        for stamp in stamps
    ]


def _shown(tracker: EvidenceTracker) -> object:
    return tracker.labels.sentences(), tracker.labels.rows()


def test_a_desk_that_was_never_told_of_a_service_knows_no_request() -> None:
    with pytest.raises(UnknownRequestError):
        FeedbackDesk(KEY).read(an_id(), UP, T0_S)
    assert KEY.hex() not in repr(FeedbackDesk(KEY))
    assert "kkkk" not in repr(FeedbackDesk(KEY))


def test_a_guardrail_of_feedback_needs_a_service_that_takes_it_for_as_long_as_it_runs() -> None:
    with pytest.raises(ManifestError, match="metric score is told by feedback; next: set `feedback: true`"):
        plan_apply(World(), load([("a.yaml", f"{SERVICE}---\n{SCORED}")]), 0)
    with pytest.raises(ManifestError, match="rollout chat-v2 is judged by feedback"):
        plan_apply(WORLD, load([("a.yaml", SERVICE)]), 0)


def test_what_is_said_in_two_ways_is_no_repeat() -> None:
    here = Desk()
    for said in (Said(event="clicked"), Said(event="bought"), Said(event="bought"), UP, Said(score=1.0, metric="wit")):
        here.desk.take(here.trackers, [here.told(an_id(), said, T0_S)], T0_S)
    assert here.counts() == {
        ("v2", "event", "no_evidence"): 2,
        ("v2", "event", "repeated"): 1,
        ("v2", "score", "evidence"): 1,
        ("v2", "score", "no_evidence"): 1,
    }


def test_feedback_on_the_native_path_is_refused_in_words() -> None:
    native = FED.replace("  protocol: openai\n", "  protocol: openai\n  datapath: native\n")
    with pytest.raises(ManifestError, match="datapath is native, but feedback finds its request by an id"):
        plan_apply(World(), load([("a.yaml", native)]), 0)


def test_a_forged_word_of_a_request_does_not_make_a_true_one_a_repeat() -> None:
    here = Desk()
    good = here.told(an_id(), UP, T0_S)
    here.desk.take(here.trackers, [replace(good, request=replace(good.request, version="v1")), good], T0_S)
    assert here.counts() == {("other", "score", "forged"): 1, ("v2", "score", "evidence"): 1}
