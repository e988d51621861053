"""`metrics` of a version and `capacity` of a rollout, as people write them."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.server_metrics import Capacity, ServerMetrics


def test_an_empty_one_asks_each_endpoint_at_the_usual_path() -> None:
    metrics = ServerMetrics.model_validate({})
    assert (metrics.path, metrics.port, metrics.scrape, metrics.process) == ("/metrics", None, True, True)
    assert hash(metrics) == hash(ServerMetrics())


def test_labels_are_pairs_in_order() -> None:
    metrics = ServerMetrics.model_validate({"labels": {"version": "2", "model": "digits"}})
    assert metrics.labels == (("model", "digits"), ("version", "2"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "metrics"},
        {"port": 0},
        {"port": "8002"},
        {"urls": ["ftp://x/"]},
        {"urls": ["http://ada:secret@x/"]},
        {"labels": {"model": 2}},
        {"labels": {"a-b": "x"}},
        {"every": "5s"},
    ],
)
def test_what_could_not_be_asked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServerMetrics.model_validate(wrong)


def test_a_cap_needs_a_limit() -> None:
    cap = Capacity.model_validate({"kv_cache": "90%"})
    assert (cap.kv_cache_bp, cap.queue, cap.missing_holds) == (9_000, None, False)
    for wrong in ({}, {"hold_on_missing": True}, {"queue": -1}, {"kv_cache": 0.9}):
        with pytest.raises(ValidationError):
            Capacity.model_validate(wrong)
