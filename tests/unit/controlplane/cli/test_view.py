"""The screen of a rollout: 80x24, with signs beside words, and what a reader must find on it."""

import io

from rich.cells import cell_len
from rich.console import Console

from controlplane.cli.view import METRICS_SHOWN_MAX, plain_line, render_rollout, screen_lines
from serinus.v1 import admin_pb2


def metric(name: str = "errors", **changes: object) -> admin_pb2.MetricView:
    row = admin_pb2.MetricView(
        metric=name,
        role="guardrail",
        baseline_n=371,
        baseline_bad=4,
        candidate_n=41,
        candidate_bad=0,
        worse_log_e=-0.2,
        worse_needed=5.3,
        good_log_e=2.1,
        good_needed=3.0,
        verdict="not_enough_evidence",
        limit="excess under 10pp (harm budget 5% at 50%)",
    )
    for field, value in changes.items():
        setattr(row, field, value)
    return row


def rollout(**changes: object) -> admin_pb2.RolloutView:
    view = admin_pb2.RolloutView(
        name="chat-v2",
        service="chat",
        baseline="v1",
        candidate="v2",
        phase="observing",
        step_index=1,
        step_count=3,
        steps_bp=[1000, 5000, 10000],
        weight_bp=5000,
        observed_ratio=0.496,
        observed_keys=412,
        message="errors: candidate 0 of 41 users, baseline 4 of 371: not enough evidence",
        started_at_ms=1_000_000,
        now_ms=1_041_000,
    )
    for field, value in changes.items():
        if isinstance(value, list):
            getattr(view, field).extend(value)
        else:
            setattr(view, field, value)
    return view


def event(at_ms: int, text: str, *, action: str = "hold", actor: str = "") -> admin_pb2.EventView:
    return admin_pb2.EventView(at_ms=at_ms, kind="phase", text=text, action=action, actor=actor)


def shown(view: admin_pb2.RolloutView, *, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(render_rollout(view))
    return out.getvalue().splitlines()


def full() -> admin_pb2.RolloutView:
    view = rollout(message="a sentence that goes on " * 20, routing_mismatches=2, untagged_recent=3)
    view.metrics.extend(metric(f"finish_reason:length-{n}") for n in range(12))
    view.events.extend(event(1_000_000 + 1000 * n, f"event {n} " + "and what it was about " * 10) for n in range(20))
    return view


def told(**changes: object) -> admin_pb2.MetricView:
    """A metric with everything that is not known yet."""
    row = metric(**changes, more_users=37, more_seconds=1_300.0)
    for name, low, high in (("baseline", 0.002, 0.031), ("candidate", 0.0, 0.11), ("difference", -0.04, 0.12)):
        interval = getattr(row, f"{name}_interval")
        interval.low, interval.high = low, high
    return row


def test_a_metric_shows_what_is_not_known_yet() -> None:
    lines = shown(rollout(metrics=[told(), metric("finish_reason:length")]))
    at = next(index for index, line in enumerate(lines) if line.startswith("errors "))
    assert (
        lines[at + 2]
        == "  95%: 0.2-3.1% | 0.0-11.0%, apart -4.0..+12.0 points; about 37 more users (22 min)"[:79] + "…"
    )
    assert lines[at + 3].startswith("finish_reason:length")


def test_many_metrics_leave_out_what_is_not_known_yet() -> None:
    view = rollout(metrics=[told(name=f"finish_reason:{n}") for n in range(4)])
    assert not any("apart" in line for line in shown(view))


def test_the_header_says_name_phase_step_and_both_weights() -> None:
    head, route, *_ = shown(rollout())
    assert head.startswith("chat-v2  ● OBSERVING  step 2/3  weight 50% (observed 49.6% of 412 users)")
    assert route.startswith("service chat   baseline v1   candidate v2   ✔10% ▸50% ·100%")
    assert route.endswith("00:00:41")


def test_a_metric_shows_shares_evidence_limit_and_verdict_in_words() -> None:
    view = rollout()
    view.metrics.append(metric())
    lines = shown(view)
    at = next(index for index, line in enumerate(lines) if line.startswith("errors "))
    assert lines[at].split() == ["errors", "1.1%", "of", "371", "0.0%", "of", "41", *_bars()]
    assert lines[at + 1] == "  ? not enough evidence; excess under 10pp (harm budget 5% at 50%)"


def _bars() -> list[str]:
    return ["......", "-0.2/5.3", "####..", "2.1/3.0"]


def test_a_guardrail_that_is_tried_out_says_so_beside_its_verdict() -> None:
    text = "\n".join(shown(rollout(metrics=[metric("ttft", role="dry_run", verdict="worse")])))
    assert "worse; dry run, nothing follows; " in text


def test_each_verdict_has_its_sign_and_its_word() -> None:
    view = rollout()
    view.metrics.extend(
        [
            metric("a", verdict="worse", worse_log_e=7.0),
            metric("b", verdict="good_enough", good_log_e=999.0),
            metric("c"),
        ]
    )
    text = "\n".join(shown(view))
    for words in ("✖ worse", "✔ good enough", "? not enough evidence", "###### 7.0/5.3", "###### no need"):
        assert words in text


def test_metrics_come_worst_first_and_those_left_out_are_counted() -> None:
    view = rollout()
    view.metrics.extend(metric(f"m{n}", verdict="good_enough") for n in range(7))
    view.metrics.append(metric("bad", verdict="worse"))
    lines = shown(view)
    table = lines.index(next(line for line in lines if line.startswith("METRIC")))
    assert lines[table + 1].startswith("bad ")
    assert f"and {8 - METRICS_SHOWN_MAX} more" in "\n".join(lines)


def test_the_fullest_screen_fits_80_by_24() -> None:
    lines = screen_lines(full())
    assert len(lines) <= 24
    assert max(cell_len(line.plain) for line in lines) <= 80
    assert len(shown(full())) == len(lines), "no line wraps"


def test_events_are_newest_last_and_name_the_operator() -> None:
    view = rollout()
    view.events.extend(
        [event(1_000_000, "first", action="advance"), event(1_065_000, "paused", actor="ada"), event(1_066_000, "last")]
    )
    lines = shown(view)
    assert lines[lines.index("EVENTS") + 1 :] == [
        "00:00:00 ▲ first",
        "00:01:05 · [ada] paused",
        "00:01:06 · last",
    ]


def test_faults_of_the_data_are_shown_and_their_absence_is_not() -> None:
    assert "! 2 requests on the wrong version, ! 3 untagged" in shown(full())
    assert not any("!" in line for line in shown(rollout()))


def test_a_rollout_without_any_data_says_so() -> None:
    view = rollout(phase="preparing", weight_bp=0, observed_keys=0, observed_ratio=0.0, step_index=0)
    text = "\n".join(shown(view))
    assert "no user seen yet" in text
    assert "nothing is judged yet" in text
    assert "none yet" in text


def test_an_ended_rollout_stops_its_clock() -> None:
    view = rollout(phase="rolled_back", weight_bp=0, ended_at_ms=1_030_000, now_ms=9_000_000)
    assert shown(view)[0].startswith("chat-v2  ↩ ROLLED BACK")
    assert shown(view)[1].endswith("00:00:30")


def test_markup_in_names_and_texts_is_text() -> None:
    view = rollout(message="[bold]no markup[/bold] [/red]")
    assert "[bold]no markup[/bold] [/red]" in shown(view)


def test_a_plain_line_holds_state_verdicts_and_the_newest_event() -> None:
    view = rollout()
    view.metrics.append(metric())
    view.events.append(event(1_041_000, "50% is in force"))
    assert plain_line(view) == ("chat-v2 OBSERVING; step 2/3; weight 50%; errors not enough evidence; 50% is in force")


def test_a_plain_line_does_not_change_with_the_clock_alone() -> None:
    assert plain_line(rollout(now_ms=1_041_000)) == plain_line(rollout(now_ms=1_050_000, observed_keys=500))


def rejecting(nodes: int = 1, words: str = "Sum of weights must be greater than 0") -> list[admin_pb2.RejectionView]:
    return [
        admin_pb2.RejectionView(node=f"edge-{index}", group="default", type="RouteConfiguration", message=words)
        for index in range(nodes)
    ]


def test_envoys_own_words_stand_on_the_screen() -> None:
    text = "\n".join(shown(rollout(rejections=rejecting())))
    assert "✖ edge-0 rejected RouteConfiguration: Sum of weights must be greater than 0" in text
    assert "✖ edge-0 (and 2 more) rejected" in "\n".join(shown(rollout(rejections=rejecting(3))))


def test_a_line_for_pipes_tells_a_rejection_on_that_one_line() -> None:
    line = plain_line(rollout(rejections=rejecting(words="line one\nline two")))
    assert "edge-0 rejected RouteConfiguration: line one line two; " in line
    assert "\n" not in line


def test_what_should_be_known_stands_on_the_screen() -> None:
    assert "! secret file token cannot be read" in "\n".join(
        shown(rollout(findings=["secret file token cannot be read"]))
    )


def test_what_the_evidence_looks_like_stands_on_the_screen() -> None:
    lines = "\n".join(shown(rollout(finding="shared_incident", finding_text="both versions fail more than before")))
    assert "≈ shared incident: both versions fail more than before" in lines


def test_with_everything_to_tell_at_once_it_still_fits() -> None:
    view = rollout(
        rejections=rejecting(3, words="much to say " * 40),
        findings=["a long finding " * 20],
        finding="capacity",
        finding_text="too few " * 40,
        untagged_recent=5,
    )
    view.metrics.extend(metric(f"metric-{index}") for index in range(METRICS_SHOWN_MAX + 2))
    view.events.extend(event(1_000_000 + index, f"event {index}") for index in range(9))
    lines = screen_lines(view)
    assert len(lines) <= 24
    assert all(cell_len(line.plain) <= 80 for line in lines)
    text = "\n".join(line.plain for line in lines)
    assert "rejected RouteConfiguration" in text
    assert "event 8" in text


def test_what_the_servers_say_is_one_line_of_the_screen() -> None:
    servers = [admin_pb2.ServersView(version="v2", sources=1, answering=1, queue_depth=7)]
    assert "servers  v2 wait 7" in shown(rollout(servers=servers))
    assert len(shown(rollout(servers=servers, metrics=[metric()] * 3, finding="capacity", finding_text="x"))) <= 24
