"""Counts of what users saw: windows of a weight, the split per user, nobody moved back, failures by cause."""

from dataclasses import replace

from controlplane.local.demo.tally import (
    ROUTING_DELAY_MS,
    Sent,
    StepEvent,
    Window,
    WindowShare,
    after_rollback,
    moved_back,
    share,
    totals,
    windows,
)

SENT = Sent(
    started_ms=0,
    user=1,
    version="v1",
    request_id="r",
    status=200,
    failure="",
    ttft_ms=10.0,
    duration_ms=20.0,
    finish_reason="stop",
)


def sent(at_ms: int, user: int, version: str, **more: object) -> Sent:
    return replace(SENT, started_ms=at_ms, user=user, version=version, **more)  # type: ignore[arg-type]


def events(*rows: tuple[int, str]) -> list[StepEvent]:
    return [StepEvent(at_ms, reason) for at_ms, reason in rows]


def test_a_window_is_open_while_the_weight_is_in_force_everywhere() -> None:
    record = events(
        (10, "prepared"), (20, "step_started"), (50, "good_enough"), (60, "step_started"), (90, "worse"), (95, "x")
    )
    assert windows(record, (1000, 5000, 10000), 200) == [Window(1000, 20, 50), Window(5000, 60, 90)]


def test_a_step_that_never_ended_is_open_to_the_end() -> None:
    assert windows(events((20, "step_started")), (1000, 10000), 200) == [Window(1000, 20, 200)]
    assert windows(events((20, "step_started"), (50, "promoted")), (10000,), 200) == [Window(10000, 20, 50)]
    assert windows([], (1000,), 200) == []


def test_the_share_counts_users_once_and_leaves_out_the_edge() -> None:
    window = Window(5000, 1000, 2000)
    edge_ms = 2000 - ROUTING_DELAY_MS
    requests = [
        *(sent(1000 + n, user, "v2") for user in (1, 2) for n in range(5)),
        *(sent(1500, user, "v1") for user in (3, 4, 5)),
        sent(999, 6, "v2"),
        sent(edge_ms, 7, "v2"),
        sent(1500, 8, ""),
    ]
    seen = share(window, requests, "v2")
    assert (seen.users, seen.on_candidate) == (5, 2)
    assert seen.is_plausible


def test_a_split_far_from_the_weight_is_implausible() -> None:
    requests = [sent(10, user, "v2" if user < 100 else "v1") for user in range(200)]
    assert not share(Window(1000, 0, 1000), requests, "v2").is_plausible
    assert share(Window(5000, 0, 1000), requests, "v2").is_plausible


def test_a_user_whom_both_versions_answered_counts_twice() -> None:
    seen = share(Window(10000, 0, 1000), [sent(1, 1, "v2"), sent(2, 1, "v1")], "v2")
    assert seen == WindowShare(10000, 2, 1, 0.0)


def test_a_user_who_left_the_candidate_was_moved_back() -> None:
    requests = [sent(0, 1, "v2"), sent(100, 1, "v1"), sent(200, 1, "v1"), sent(0, 2, "v1"), sent(100, 2, "v2")]
    assert moved_back(requests, "v2", until_ms=10_000) == 1


def test_requests_that_overtake_each_other_are_no_move() -> None:
    assert moved_back([sent(0, 1, "v2", duration_ms=50.0), sent(10, 1, "v1")], "v2", until_ms=10_000) == 0


def test_going_back_with_the_rollback_is_no_move() -> None:
    assert moved_back([sent(0, 1, "v2"), sent(1000, 1, "v1")], "v2", until_ms=1000) == 0


def test_the_order_of_answers_does_not_matter() -> None:
    assert moved_back([sent(100, 1, "v1"), sent(0, 1, "v2")], "v2", until_ms=10_000) == 1


def test_requests_on_the_candidate_after_the_rollback_are_counted() -> None:
    requests = [sent(90, 1, "v2"), sent(110, 2, "v2"), sent(120, 3, "v1")]
    assert after_rollback(requests, "v2", at_ms=100) == 1


def test_totals_split_failures_by_cause_and_by_whose_they_are() -> None:
    requests = [
        sent(0, 1, "v1"),
        sent(0, 1, "v2", finish_reason="length", ttft_ms=30.0),
        sent(0, 2, "", failure="no answer: ClientConnectorError", status=0, ttft_ms=None, finish_reason=""),
        sent(0, 3, "v1", failure="error inside the stream: server_error 500", is_models_own=True, ttft_ms=20.0),
    ]
    seen = totals(requests)
    assert (seen.requests, seen.users, seen.failed, seen.models_own) == (4, 3, 1, 1)
    assert seen.by_version == (("v1", 2), ("v2", 1))
    assert seen.length_by_version == (("v2", 1),)
    assert seen.ttft_ms_p50 == 20.0
    assert seen.failures == (
        ("no answer: ClientConnectorError (no version)", 1),
        ("error inside the stream: server_error 500 (v1)", 1),
    )


def test_totals_of_nothing_are_zero() -> None:
    assert (totals([]).requests, totals([]).failed, totals([]).ttft_ms_p50) == (0, 0, 0.0)
