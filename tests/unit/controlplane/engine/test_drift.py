"""Do the versions get alike requests, and answer alike? Doubts come of the first, notes of the second."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from controlplane.engine.drift import KEYS_MAX, RolloutDrift
from controlplane.engine.evidence import EvidenceTracker
from controlplane.evidence.diagnostics.annotation import Effect
from controlplane.ingest.rows import HistogramCount, MetricCount, Row
from controlplane.rollout.effects import BeginStep
from serinus.contract.edge import BIN_COUNT, bin_of
from serinus.contract.metric import SCRIPT, SCRIPTS, TOKENS_OUT
from tests.unit.controlplane.engine.test_plan import spec

KEYS = 40
REGION = {"region": ("eu", "us")}


def own_keys(slot: int, version: str, region: str) -> range:
    """Users of nothing else."""
    first = ((slot * 2 + (version == "v2")) * 2 + (region == "eu")) * KEYS
    return range(first, first + KEYS)


def row(
    slot: int, version: str, region: str, *, tokens: int = 100, keys: Sequence[int] | None = None, cut: int = 0
) -> Row:
    keys = keys if keys is not None else own_keys(slot, version, region)
    size = bin_of(tokens)
    place = ("chat", "chat-v2", "s1", slot, 5_000, "1", "everyone", version, len(keys), 0)
    return Row(
        *place,
        metrics={
            "errors": MetricCount(len(keys), 0, frozenset(keys), frozenset()),
            "finish_reason:length": MetricCount(len(keys), cut, frozenset(keys[cut:]), frozenset(keys[:cut])),
        },
        classes={},
        histograms={TOKENS_OUT: HistogramCount({size: len(keys)}, dict.fromkeys(keys, 1000 * BIN_COUNT + size))},
        slices=f"region={region}",
    )


def played(*slots: Sequence[Row]) -> RolloutDrift:
    """Slots 1, 2 ..."""
    drift = RolloutDrift(REGION, rollout="chat-v2", versions=("v1", "v2"))
    for slot, rows in enumerate(slots, 1):
        drift.add(rows, now_slot=slot, closed_through=slot - 1)
        drift.close(slot)
    return drift


def test_arms_that_get_unlike_requests_put_the_data_in_doubt() -> None:
    """All of the candidate's users are of one region, half of the baseline's."""
    drift = played(*([row(s, "v1", "eu"), row(s, "v1", "us"), row(s, "v2", "eu")] for s in range(1, 8)))
    (found,) = drift.annotations()
    assert (found.subject, found.effect) == ("region", Effect.HOLD)
    assert drift.doubt() == found.sentence
    assert found.sentence.startswith("region: candidate and baseline get unlike requests: check routing")
    assert "the candidate has " in found.sentence


def test_arms_that_get_alike_requests_do_not() -> None:
    every = [(version, region) for version in ("v1", "v2") for region in ("eu", "us")]
    drift = played(*([row(s, *each) for each in every] for s in range(1, 40)))
    assert drift.annotations() == ()
    assert drift.doubt() == ""


def test_versions_that_answer_differently_are_noted_and_no_doubt() -> None:
    longer = played(*([row(s, "v1", "eu"), row(s, "v2", "eu", tokens=400)] for s in range(1, 6)))
    (found,) = longer.annotations()
    assert (found.subject, found.effect) == (TOKENS_OUT, Effect.NOTE)
    assert found.sentence.startswith("tokens_out: the versions answer alike requests differently")
    assert "the candidate has " in found.sentence
    assert " tokens, evidence " in found.sentence
    assert longer.doubt() == ""
    cut = played(*([row(s, "v1", "eu"), row(s, "v2", "eu", cut=20)] for s in range(1, 6)))
    assert [each.subject for each in cut.annotations()] == ["finish_reason"]


def test_a_key_counts_once_however_often_it_comes() -> None:
    """One slot of these says too little, and no more when it is repeated; of new users it would."""
    here, there = range(6), range(100, 106)
    again = played(*([row(s, "v1", "eu", keys=here), row(s, "v2", "us", keys=there)] for s in range(1, 40)))
    assert again.annotations() == ()
    new = played(*([row(s, "v1", "eu"), row(s, "v2", "us")] for s in range(1, 40)))
    assert new.doubt()


def test_a_key_in_both_arms_counts_in_none() -> None:
    keys = range(KEYS)
    drift = played(*([row(s, "v1", "eu", keys=keys), row(s, "v2", "us", keys=keys)] for s in range(1, 10)))
    assert drift.annotations() == ()


def test_past_its_bound_a_subject_learns_nothing_new() -> None:
    unlike = [[row(s, "v1", "eu"), row(s, "v2", "us")] for s in range(2, 9)]
    assert played([], *unlike).doubt()
    many = range(10**9, 10**9 + KEYS_MAX)
    assert not played([row(1, "v1", "eu", keys=many)], *unlike).doubt()


@pytest.mark.parametrize("seed", range(4))
def test_chance_alone_is_no_doubt(seed: int) -> None:
    """Users of two regions as the hash deals them."""
    rng = np.random.default_rng(seed)
    slots = []
    for slot in range(1, 120):
        arms, regions = rng.integers(0, 2, (2, 20))
        keys = 1_000 * slot + np.arange(20)
        every = [(arm, region) for arm in (0, 1) for region in (0, 1)]
        dealt = {each: keys[(arms == each[0]) & (regions == each[1])].tolist() for each in every}
        slots.append(
            [row(slot, ("v1", "v2")[a], ("eu", "us")[r], keys=found) for (a, r), found in dealt.items() if found]
        )
    assert played(*slots).doubt() == ""


def test_the_facts_of_a_rollout_say_the_doubt() -> None:
    tracker = EvidenceTracker(spec("[{metric: errors}]"), rollout="chat-v2", baseline="v1", slices=REGION)
    tracker.begin(BeginStep(step_index=0, slot=1, weight_bp=5_000, next_weight_bp=10_000))
    for slot in range(1, 9):
        tracker.add([row(slot, "v1", "eu"), row(slot, "v2", "us")], now_slot=slot)
        tracker.close(slot)
    assert tracker.evidence_fact().doubt == tracker.drift.doubt() != ""


def test_a_candidate_that_answers_in_another_script_is_noted() -> None:
    def written(slot: int, version: str) -> Row:
        found, number = row(slot, version, "eu"), SCRIPTS.index("cyrillic" if version == "v2" else "latin")
        firsts = dict.fromkeys(own_keys(slot, version, "eu"), 1000 * BIN_COUNT + number)
        return replace(found, histograms={SCRIPT: HistogramCount({number: len(firsts)}, firsts)})

    drift = played(*([written(s, "v1"), written(s, "v2")] for s in range(1, 4)))
    (found,) = drift.annotations()
    assert (found.subject, found.effect) == ("script", Effect.NOTE)
    assert "answers in " in found.sentence
    assert drift.doubt() == ""
