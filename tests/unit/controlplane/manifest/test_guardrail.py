"""Guardrails of a manifest: what each kind of metric needs, and what is refused with which words."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.guardrail import Guardrail
from serinus.contract.metric import BODY_METRICS, HISTOGRAM_UNITS


def guardrail(**values: object) -> Guardrail:
    return Guardrail.model_validate(values)


def test_a_share_has_points_and_may_have_an_absolute_limit() -> None:
    both = guardrail(metric="errors", margin="2pp", max="5%")
    assert (both.margin_bp, both.max_bp, both.is_size, both.metric_id) == (200, 500, False, "errors")
    assert guardrail(metric="errors").max_bp is None
    assert guardrail(metric="finish_reason", of="length", margin="5pp").metric_id == "finish_reason:length"
    assert guardrail(metric="context_too_long", margin="1pp").metric_id == "context_too_long"


@pytest.mark.parametrize(
    ("metric", "known_as"),
    [
        ("latency", "latency"),
        ("ttft", "ttft"),
        ("time_per_output_token", "tpot"),
        ("token_gap",) * 2,
        ("tokens", "tokens_out"),
    ],
)
def test_the_margin_of_a_size_is_a_factor(metric: str, known_as: str) -> None:
    size = guardrail(metric=metric, margin="10%")
    assert (size.margin_bp, size.is_size, size.metric_id) == (1_000, True, known_as)


@pytest.mark.parametrize("metric", ["repetition", "mixed_script", "control_tokens", "refusal", "invalid_json"])
def test_the_margin_of_a_quality_signal_is_in_points(metric: str) -> None:
    signal = guardrail(metric=metric, margin="5pp")
    assert (signal.margin_bp, signal.is_size, signal.is_score, signal.metric_id) == (500, False, True, metric)


@pytest.mark.parametrize("form", ["streams", "whole"])
def test_a_latency_may_be_of_streams_or_of_whole_answers(form: str) -> None:
    size = guardrail(metric="latency", of=form, margin="10%")
    assert (size.is_size, size.metric_id) == (True, f"latency:{form}")
    assert size.metric_id in BODY_METRICS
    assert size.metric_id in HISTOGRAM_UNITS


def test_fewer_tokens_may_be_worse() -> None:
    fewer = guardrail(metric="tokens", margin="50%", worse="lower")
    assert (fewer.is_size, fewer.metric_id) == (True, "tokens_out:lower")


@pytest.mark.parametrize("metric", ["score", "accuracy", "precision", "recall"])
def test_what_feedback_tells_has_a_margin_and_a_wait(metric: str) -> None:
    told = guardrail(metric=metric, margin="5pp", wait="1h")
    assert (told.is_labelled, told.margin_bp, told.wait_ms, told.metric_id) == (True, 500, 3_600_000, metric)
    assert not guardrail(metric="errors").is_labelled


def test_a_score_may_have_a_name() -> None:
    assert guardrail(metric="score", of="helpfulness", margin="2pp", wait="10m").metric_id == "score:helpfulness"


def test_an_event_has_a_name() -> None:
    assert guardrail(metric="event", of="clicked", margin="2pp", wait="10m").metric_id == "event:clicked"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"metric": "score", "margin": "5pp"}, "metric score needs a `wait` of 1s up to 30 days"),
        ({"metric": "score", "margin": "5pp", "wait": "0s"}, "needs a `wait`"),
        ({"metric": "score", "margin": "5pp", "wait": "31d"}, "31d"),
        ({"metric": "recall", "wait": "1h"}, "metric recall needs a `margin`"),
        ({"metric": "recall", "wait": "1h", "margin": "60pp"}, "up to 49pp"),
        ({"metric": "score", "margin": "5pp", "wait": "1h", "max": "5%"}, "`max` of what feedback tells"),
        ({"metric": "score", "margin": "5pp", "wait": "1h", "dry_run": True}, "`dry_run` of what feedback tells"),
        ({"metric": "event", "margin": "5pp", "wait": "1h"}, "metric event needs `of`"),
        ({"metric": "event", "of": "A click", "margin": "5pp", "wait": "1h"}, "metric event needs `of`"),
        ({"metric": "score", "of": "Very good", "margin": "5pp", "wait": "1h"}, "`of` of a score is its name"),
        ({"metric": "recall", "of": "yes", "margin": "5pp", "wait": "1h"}, "metric recall takes no `of`"),
        ({"metric": "errors", "wait": "1h"}, "metric errors takes no `wait`"),
        ({"metric": "f1", "margin": "5pp", "wait": "1h"}, "f1 is shown, not judged"),
        ({"metric": "auc", "margin": "5pp", "wait": "1h"}, "auc is shown, not judged"),
        ({"metric": "repetition"}, "metric repetition needs a `margin` above 0pp and up to 49pp"),
        ({"metric": "repetition", "margin": "50pp"}, "needs a `margin` above 0pp and up to 49pp"),
        ({"metric": "repetition", "margin": "5%"}, "is not a number of percentage points"),
        ({"metric": "repetition", "margin": "5pp", "max": "20%"}, "`max` of a size or a mean is not built yet"),
        ({"metric": "ttft", "margin": "10%", "worse": "lower"}, "metric ttft takes no `worse`"),
        ({"metric": "tokens", "margin": "10%", "worse": "shorter"}, "shorter"),
        ({"metric": "latency"}, "metric latency needs a `margin` in percent, for example 10%"),
        ({"metric": "ttft", "margin": "5%"}, "less than 9.1%, one bin"),
        ({"metric": "ttft", "margin": "5pp"}, "is not a percentage"),
        ({"metric": "ttft", "margin": "10%", "max": "5%"}, "`max` of a size or a mean is not built yet"),
        ({"metric": "ttft", "margin": "10%", "of": "length"}, "metric ttft takes no `of`"),
        ({"metric": "latency", "margin": "10%", "of": "both"}, "`of` of latency is `streams` or `whole`"),
        ({"metric": "errors", "margin": "5%"}, "is not a number of percentage points"),
        ({"metric": "errors", "max": "0%"}, "0% is no limit"),
        ({"metric": "errors", "max": "100%"}, "100% is no limit"),
        ({"metric": "errors", "max": 5}, "5 is not a percentage"),
        ({"metric": "tokens"}, "metric tokens needs a `margin` in percent"),
        ({"metric": "errors", "dry_run": True}, "errors always acts"),
        ({"metric": "duration"}, "'duration' is called latency"),
        ({"metric": "speed", "margin": "10%"}, "unknown metric 'speed'; known: errors, finish_reason, context_too"),
        ({"metric": "finish_reason", "of": "stop", "margin": "5pp"}, "needs `of: length`"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Guardrail.model_validate(values)
    assert words in str(caught.value)
