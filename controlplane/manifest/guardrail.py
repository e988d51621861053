"""A guardrail of a rollout: what is judged, and by how much the candidate may differ.

Shares of requests (`errors`, `finish_reason`, `context_too_long`) have margins in percentage points and may have an
absolute `max`; sizes (`latency`, `ttft`, `time_per_output_token`, `token_gap`, `tokens`) have margins in percent, as
factors: 10% is "no more than 1.1 times as slow, or as long, at every edge"; with `worse: lower` (of tokens) "no shorter
than by that factor"; with `of: streams` or `of: whole` (of latency) only answers that came piece by piece, or only the
others. Quality signals of answers (`repetition`, ...) are means of 0 to 1, with margins in percentage points. What is
told later by feedback (`score`, `accuracy`, `precision`, `recall`, `event`) is judged when `wait` is over since the
request, for both arms.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from controlplane.manifest.field import DurationMs, Spec, choice
from controlplane.manifest.units import parse_percent_bp, parse_points_bp
from serinus.contract.feedback import EVENT as EVENT_NAME
from serinus.contract.metric import (
    CONTEXT_TOO_LONG,
    ERRORS,
    FINISH_LENGTH,
    FORMS,
    LATENCY,
    LOWER,
    SCORES,
    STREAMS,
    TOKEN_GAP,
    TOKENS_OUT,
    TPOT,
    TTFT,
    WHOLE,
)

FINISH_REASON = "finish_reason"
SHARES = {ERRORS: ERRORS, FINISH_REASON: FINISH_LENGTH, CONTEXT_TOO_LONG: CONTEXT_TOO_LONG}
# The sidecar reports the first two of every request that ended well, whatever the protocol; the others of bodies.
TOKENS = "tokens"
SIZES = {LATENCY: LATENCY, TTFT: TTFT, "time_per_output_token": TPOT, TOKEN_GAP: TOKEN_GAP, TOKENS: TOKENS_OUT}
# One bin of a histogram is a factor of 2^(1/8) = 1.0905: a smaller margin cannot be shown.
SIZE_MARGIN_BP_MIN = 910
WHOLE_BP = 10_000
# Half the scale: no evidence can be had about more (`evidence/scores.py`).
SCORE_MARGIN_BP_MAX = 4_900


# Told by feedback: a mean of 0 to 1, shares of labels, the share of requests that an event follows.
SCORE = "score"
EVENT = "event"
LABELLED = (SCORE, "accuracy", "precision", "recall", EVENT)
# Shown by `describe` and `explain`, and not to be had as a guardrail: no evidence can show that they are good enough.
_SHOWN = ("f1", "auc")
WAIT_MS_MAX = 30 * 24 * 3_600_000


def _metric(value: object) -> object:
    known = ", ".join([*SHARES, *SIZES, *SCORES, *LABELLED])
    if value in _SHOWN:
        raise ValueError(f"{value} is shown, not judged; next: guard precision and recall")
    if value == "duration":
        raise ValueError("metric 'duration' is called latency")
    if value not in (*SHARES, *SIZES, *SCORES, *LABELLED):
        raise ValueError(f"unknown metric {value!r}; known: {known}")
    return value


class Worse(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


class Guardrail(Spec):
    """One judged metric. `margin_bp` None: the rollout's harm budget is its budget."""

    metric: Annotated[str, BeforeValidator(_metric)]
    of: str | None = None
    # Of a share: percentage points. Of a size: by how much slower or longer.
    margin_bp: int | None = Field(default=None, alias="margin")
    # Of tokens: which way is worse. Whoever answers next to nothing is cheap and fast.
    worse: Annotated[Worse, BeforeValidator(lambda v: choice(Worse, v))] = Worse.HIGHER
    # Of what feedback tells: how long after its request a label may come, the same for both arms.
    wait_ms: DurationMs | None = Field(default=None, alias="wait")
    # The candidate's share alone, whatever the baseline does.
    max_bp: int | None = Field(default=None, alias="max")

    # Judged and reported, but nothing follows from it.
    dry_run: bool = False

    @field_validator("margin_bp", mode="before")
    @classmethod
    def _margin(cls, value: object, info: ValidationInfo) -> object:
        metric = info.data.get("metric")
        if value is None or metric is None:
            return None
        if metric not in SIZES:
            return parse_points_bp(value)
        margin_bp = parse_percent_bp(value)
        if margin_bp < SIZE_MARGIN_BP_MIN:
            raise ValueError(f"{value} is less than 9.1%, one bin of the histograms: nothing smaller can be shown")
        return margin_bp

    @field_validator("max_bp", mode="before")
    @classmethod
    def _max(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            return None
        if info.data.get("metric") in LABELLED:
            raise ValueError("`max` of what feedback tells is not built yet in this version; leave it out")
        if info.data.get("metric") in (*SIZES, *SCORES):
            raise ValueError("`max` of a size or a mean is not built yet in this version; leave it out")
        max_bp = parse_percent_bp(value)
        if not 0 < max_bp < WHOLE_BP:
            raise ValueError(f"{value} is no limit; write a share between 0% and 100%, for example 5%")
        return max_bp

    @model_validator(mode="after")
    def _known(self) -> "Guardrail":
        if self.dry_run and self.metric == ERRORS:
            raise ValueError("errors always acts: a guardrail of another metric may be a dry run")
        if self.metric == FINISH_REASON and (self.of != "length" or self.margin_bp is None):
            raise ValueError(
                "metric finish_reason needs `of: length` and a `margin` in percentage points, for example 5pp"
            )
        if self.metric == EVENT and not EVENT_NAME.fullmatch(self.of or ""):
            raise ValueError("metric event needs `of`, a name of at most 32 of a-z, 0-9 and _, for example clicked")
        if self.metric == SCORE and self.of is not None and not EVENT_NAME.fullmatch(self.of):
            raise ValueError("`of` of a score is its name, of at most 32 of a-z, 0-9 and _, for example helpfulness")
        if self.metric == LATENCY and self.of not in (None, STREAMS, WHOLE):
            raise ValueError("`of` of latency is `streams` or `whole`; leave it out for all answers")
        if self.metric not in (FINISH_REASON, EVENT, SCORE, LATENCY) and self.of is not None:
            raise ValueError(f"metric {self.metric} takes no `of`")
        if self.worse is Worse.LOWER and self.metric != TOKENS:
            raise ValueError(f"metric {self.metric} takes no `worse`: less of it is no harm")
        if self.is_score and not 0 < (self.margin_bp or 0) <= SCORE_MARGIN_BP_MAX:
            raise ValueError(f"metric {self.metric} needs a `margin` above 0pp and up to 49pp, for example 5pp")
        self._check_wait()
        if self.is_size and self.margin_bp is None:
            raise ValueError(f"metric {self.metric} needs a `margin` in percent, for example 10%")
        return self

    def _check_wait(self) -> None:
        if not self.is_labelled:
            if self.wait_ms is not None:
                raise ValueError(f"metric {self.metric} takes no `wait`: it is known when the answer ends")
            return
        if self.wait_ms is None or not 1_000 <= self.wait_ms <= WAIT_MS_MAX:
            raise ValueError(f"metric {self.metric} needs a `wait` of 1s up to 30 days, for example 1h")
        if not 0 < (self.margin_bp or 0) <= SCORE_MARGIN_BP_MAX:
            raise ValueError(f"metric {self.metric} needs a `margin` above 0pp and up to 49pp, for example 5pp")
        if self.dry_run:
            raise ValueError("`dry_run` of what feedback tells is not built yet in this version; leave it out")

    @property
    def is_labelled(self) -> bool:
        """Whether it is told later, by feedback."""
        return self.metric in LABELLED

    @property
    def is_size(self) -> bool:
        """Whether it is compared by how large, not by how many."""
        return self.metric in SIZES

    @property
    def is_score(self) -> bool:
        """Whether means of 0 to 1 are compared."""
        return self.metric in SCORES

    @property
    def metric_id(self) -> str:
        """The name of the metric in slots and series: `errors`, `finish_reason:length`, `tokens_out:lower`."""
        if self.is_score or self.is_labelled:
            return f"{self.metric}:{self.of}" if self.of else self.metric
        if self.metric == LATENCY and self.of:
            return FORMS[self.of][0]
        return {**SHARES, **SIZES}[self.metric] + (LOWER if self.worse is Worse.LOWER else "")
