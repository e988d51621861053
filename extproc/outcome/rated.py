"""An answer that somebody's own evaluator shall rate: which ones, what it is shown, what it may say. Pure.

Which ones is decided by the request's id alone, a salted draw: alike for both versions, whatever they answer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import xxhash

from serinus.contract.weight import WEIGHT_TOTAL_BP

# Of longer answers nothing is rated: what is shown is whole, and a hundred of them may wait.
ANSWER_CHARS_MAX = 64 * 1024
_SEED = 7


@dataclass(frozen=True, slots=True)
class Rated:
    """`request_id` by which feedback finds the request; `request`: its body, "" unless requests are observed and it was
    within their bound; `answer`: all of its text."""

    request_id: str
    request: str
    answer: str


@dataclass(frozen=True, slots=True)
class Rating:
    """Where answers go to be rated, and how many of 10000."""

    share_bp: int
    offer: Callable[[Rated], None]


def is_drawn(request_id: str, share_bp: int) -> bool:
    return xxhash.xxh64_intdigest(request_id.encode(), seed=_SEED) % WEIGHT_TOTAL_BP < share_bp


def score_of(said: object) -> float | None:
    """A score in 0..1 from what an evaluator returned: a number, {"score": number}, or None for no opinion. Raises
    ValueError for anything else."""
    value = said.get("score") if isinstance(said, dict) else said
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("an evaluator says a number from 0 to 1, or None")
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"a score of {value:g} is outside 0..1")
    return float(value)
