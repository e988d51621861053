"""Rollouts of 540 s for the diagnostics: a ramp of 10 to 90 %, and what fails in each second of each version."""

import numpy as np

from controlplane.evidence.diagnostics.annotate import ArmSlots, annotate
from controlplane.evidence.diagnostics.annotation import Annotation

SLOTS = 540
CHANGE_AT = 300


def steady(rate: float) -> np.ndarray:
    return np.full(SLOTS, rate)


def late(rate: float, *, then: float) -> np.ndarray:
    return np.where(np.arange(SLOTS) < CHANGE_AT, rate, then)


def arms(seed: int, rates: tuple[np.ndarray, np.ndarray], *, rps: int = 100) -> tuple[ArmSlots, ArmSlots]:
    """Baseline and candidate; `rates`: shares of failures by second, of each."""
    prng = np.random.default_rng(seed)
    weight = np.repeat(np.linspace(0.1, 0.9, 9), SLOTS // 9)
    baseline_n, candidate_n = prng.poisson(rps * (1.0 - weight)), prng.poisson(rps * weight)
    return (
        ArmSlots(baseline_n, prng.binomial(baseline_n, rates[0])),
        ArmSlots(candidate_n, prng.binomial(candidate_n, rates[1])),
    )


def run(seed: int, rates: tuple[np.ndarray, np.ndarray], *, rps: int = 100) -> tuple[Annotation, ...]:
    return annotate("errors", *arms(seed, rates, rps=rps))
