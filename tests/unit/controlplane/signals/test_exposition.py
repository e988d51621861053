"""Expositions of real servers' names, and of broken ones, as readings."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.signals.exposition import reading_of
from controlplane.signals.signal import Signal

EXPOSITIONS = Path(__file__).parents[3] / "data/expositions"
MIB = 1024 * 1024
EXPECTED = {
    "vllm": {
        Signal.KV_CACHE: 0.9871,
        Signal.QUEUE: 72,
        Signal.RUNNING: 24,
        Signal.PREEMPTIONS: 5,
        Signal.MEMORY: 2**32,
        Signal.CPU_SECONDS: 312.5,
    },
    "vllm_0_8": {Signal.KV_CACHE: 0.25, Signal.QUEUE: 0, Signal.RUNNING: 3},
    "sglang": {Signal.KV_CACHE: 0.42, Signal.QUEUE: 3, Signal.RUNNING: 16, Signal.PREEMPTIONS: 9},
    "tgi": {Signal.QUEUE: 7, Signal.RUNNING: 4},
    "triton": {Signal.QUEUE: 7, Signal.GPU: 0.91, Signal.GPU_MEMORY_USED: 800, Signal.GPU_MEMORY: 2000},
    "triton_trtllm": {Signal.KV_CACHE: 0.5, Signal.QUEUE: 3, Signal.RUNNING: 8},
    "llama_cpp": {Signal.QUEUE: 8, Signal.RUNNING: 2},
    "mlserver": {Signal.RUNNING: 2},
    "dcgm": {Signal.GPU: 0.97, Signal.GPU_MEMORY_USED: 80 * MIB, Signal.GPU_MEMORY: 200 * MIB},
}


@pytest.mark.parametrize("server", sorted(EXPECTED))
def test_a_servers_own_names_become_signals(server: str) -> None:
    text = (EXPOSITIONS / f"{server}.txt").read_text(encoding="utf-8")
    assert reading_of(text) == pytest.approx(EXPECTED[server])


def test_every_recorded_exposition_is_looked_at() -> None:
    assert {path.stem for path in EXPOSITIONS.glob("*.txt")} == set(EXPECTED)


def test_a_collector_that_writes_underscores_changes_nothing() -> None:
    assert reading_of('vllm_num_requests_waiting{model_name="m"} 4\n') == {Signal.QUEUE: 4}


def test_several_engines_of_one_server_add_up_and_the_fullest_cache_counts() -> None:
    text = "".join(
        f'vllm:num_requests_waiting{{engine="{engine}"}} 2\nvllm:kv_cache_usage_perc{{engine="{engine}"}} 0.{engine + 1}\n'
        for engine in range(4)
    )
    assert reading_of(text) == {Signal.QUEUE: 8, Signal.KV_CACHE: 0.4}


def test_labels_pick_one_model_of_a_server_that_holds_several() -> None:
    text = (EXPOSITIONS / "triton.txt").read_text(encoding="utf-8")
    reading = reading_of(text, {"model": "digits", "version": "2"})
    assert reading[Signal.QUEUE] == 5
    assert reading[Signal.GPU] == 0.91, "a series without the label is everyone's"


def test_the_old_name_is_not_added_to_the_new_one() -> None:
    assert reading_of("vllm:kv_cache_usage_perc 0.3\nvllm:gpu_cache_usage_perc 0.3\n") == {Signal.KV_CACHE: 0.3}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "93.5"])
def test_a_value_that_cannot_be_true_leaves_the_signal_absent(value: str) -> None:
    assert reading_of(f"vllm:kv_cache_usage_perc {value}\ntgi_queue_size 1\n") == {Signal.QUEUE: 1}


def test_a_value_that_cannot_be_true_gives_way_to_the_next_name() -> None:
    assert reading_of("vllm:kv_cache_usage_perc NaN\nvllm:gpu_cache_usage_perc 0.5\n") == {Signal.KV_CACHE: 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>not found</html>",
        "tgi_queue_size",
        "tgi_queue_size{ 3",
        'tgi_queue_size{a="b} 3',
        "tgi_queue_size three",
        'tgi_queue_size{a="b",\t="d"} 3.5 1790347303000',
        "tgi_queue_size_bucket 3",
        "# tgi_queue_size 3",
        "\x00\xff\n",
    ],
)
def test_what_is_no_exposition_says_nothing(text: str) -> None:
    assert reading_of(text) == {}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["tgi_queue_size", "vllm:kv_cache_usage_perc"]),
    st.text('{}"\\\\,=# \t\r\n_:a03.eE+-NaIf\x00é', max_size=40),
)
def test_whatever_stands_behind_a_name_it_never_raises(name: str, rest: str) -> None:
    for value in reading_of(name + rest).values():
        assert 0.0 <= value < float("inf")


def test_a_broken_line_breaks_no_other() -> None:
    text = 'tgi_queue_size{a="b} 3\nbroken{{{\ntgi_batch_current_size 4 1790347303000\r\n'
    assert reading_of(text) == {Signal.RUNNING: 4}


def test_memory_that_is_told_in_parts_needs_both() -> None:
    assert reading_of("DCGM_FI_DEV_FB_USED 10\n") == {Signal.GPU_MEMORY_USED: 10 * MIB}


def test_a_megabyte_of_other_series_costs_little() -> None:
    other = 'http_request_duration_seconds_bucket{handler="/v1/chat",le="0.5"} 12.0\n' * 13_000
    begin = time.process_time()
    assert reading_of(other + "tgi_queue_size 1\n") == {Signal.QUEUE: 1}
    assert time.process_time() - begin < 1.0
