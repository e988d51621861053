"""Replayed load: the shape of the recording, around the mean that was asked for, from anywhere in it."""

from pathlib import Path

import numpy as np
import pytest

from controlplane.simulate.trace import TraceError, read

TRACES = Path(__file__).parents[3] / "data/traces"


def test_requests_are_counted_by_the_second_they_came_in() -> None:
    trace = read("t", "arrival_s,prompt_tokens\n0.0,5\n0.9,5\n3.2,1\n3.3,1\n")
    np.testing.assert_allclose(trace.counts, [2.0, 0.0, 0.0, 2.0])


def test_windows_are_played_one_a_second() -> None:
    trace = read("t", "model,window_start_s,requests_per_s\nm,0,10\nm,600,30\n")
    np.testing.assert_allclose(trace.counts, [0.5, 1.5])


@pytest.mark.parametrize("name", ["azure2023_conv_10min.csv", "servegen_m_large_week.csv"])
def test_recorded_traffic_keeps_its_bursts_and_has_mean_one(name: str) -> None:
    trace = read(name, (TRACES / name).read_text())
    assert trace.counts.mean() == pytest.approx(1.0)
    assert trace.counts.std() > 0.1


def test_a_rollout_starts_anywhere_and_goes_round_at_the_end() -> None:
    trace = read("t", "window_start_s,requests_per_s\n0,1\n1,2\n2,3\n")
    load = trace.load(7, np.random.default_rng(1)) * 2
    assert set(np.diff(load)) <= {1.0, -2.0}
    assert len(load) == 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "t:1: columns are"),
        ("when,what\n1,2\n", "t:1: columns are"),
        ("arrival_s\n", "t:1: no requests"),
        ("window_start_s,requests_per_s\n0,0\n", "t:1: no requests"),
        ("arrival_s\n1\n-1\n", "t:3: arrival_s: is -1.0"),
        ("arrival_s\n1\nnan\n", "t:3: arrival_s: is nan"),
        ("arrival_s\n1e30\n", "t:2: arrival_s"),
        ("arrival_s\nsoon\n", "t:2: arrival_s"),
        ("window_start_s,requests_per_s\n0\n", "t:2: requests_per_s"),
    ],
)
def test_a_trace_that_cannot_be_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(TraceError) as error:
        read("t", text)
    assert str(error.value).startswith(says)
