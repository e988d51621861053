"""What the pages show of a rollout, and that nothing said by anybody gets out of its place."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.dashboard.record import MetricRecord
from controlplane.dashboard.web import chart
from controlplane.dashboard.web.history import Line, Plot
from controlplane.dashboard.web.page import PHASES, Beside, RolloutPage, SliceLine, rollout_page
from controlplane.dashboard.web.render import ROLLOUT_PARTS, Renderer
from controlplane.dashboard.web.wire import beside, place_line, rollout_line, service_line
from controlplane.dashboard.wire import rollout_record
from serinus.v1 import admin_pb2
from tests.unit.controlplane.dashboard.samples import START_MS, explained

RENDER = Renderer()
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)>"'`& {{ 7*7 }} </textarea></dialog>"""


def page(phase: str = "observing", *, may_operate: bool = True, told: Beside | None = None) -> RolloutPage:
    response = explained()
    record = replace(rollout_record(response), phase=phase)
    is_over = phase in ("promoted", "rolled_back", "aborted")
    return rollout_page(record, told or Beside(is_terminal=is_over), may_operate=may_operate)


def verbs(shown: RolloutPage) -> list[str]:
    return [action.verb for action in shown.actions]


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("queued", ["abort"]),
        ("preparing", ["pause", "promote", "skip", "abort"]),
        ("observing", ["pause", "promote", "skip", "abort"]),
        ("baking", ["pause", "promote", "skip", "abort"]),
        ("paused", ["resume", "abort"]),
        ("rolling_back", []),
        ("rolled_back", ["retry"]),
        ("aborted", ["retry"]),
        ("promoted", []),
    ],
)
def test_what_can_be_done_depends_on_the_phase(phase: str, expected: list[str]) -> None:
    assert verbs(page(phase)) == expected


def test_a_step_that_waits_for_a_person_can_be_approved_and_says_so() -> None:
    shown = page("observing", told=Beside(approval_needed_bp=5_000))
    assert verbs(shown)[0] == "approve"
    assert "50%" in shown.next_words


def test_who_may_only_look_has_no_buttons() -> None:
    shown = page(may_operate=False)
    assert shown.actions == ()
    assert "data-verb" not in RENDER.rollout_sections(shown)["head"]


def test_grave_acts_need_a_reason() -> None:
    assert {action.verb for action in page().actions if action.needs_reason} == {"skip", "abort"}


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_has_a_sign_beside_its_word_and_says_what_now(phase: str) -> None:
    shown = page(phase)
    head = RENDER.rollout_sections(shown)["head"]
    assert f"{shown.sign} {shown.word}" in head
    assert shown.next_words in head.replace("&#39;", "'")


def test_the_worst_metric_comes_first_and_decides_the_verdict() -> None:
    shown = page()
    assert [tile.word for tile in shown.tiles] == ["worse", "not enough evidence"]
    assert shown.verdict == ("✖", "Worse: finish_reason:length.", "bad")


def test_steps_are_done_now_or_to_come() -> None:
    assert [(step.label, step.state) for step in page("rolled_back").steps] == [("start", "done"), ("10%", "done")]
    record = rollout_record(explained())
    running = rollout_page(replace(record, phase="observing", events=record.events[:2]), Beside(), may_operate=True)
    assert [(step.label, step.state) for step in running.steps] == [
        ("start", "done"),
        ("10%", "now"),
        ("50%", "next"),
        ("100%", "next"),
    ]


def test_without_any_request_it_says_what_is_missing() -> None:
    response = explained()
    del response.rollout.metrics[:]
    shown = rollout_page(rollout_record(response), Beside(), may_operate=True)
    assert "Nothing is judged yet" in shown.verdict[1]
    assert "No verdict yet: v3 has had no request" in RENDER.rollout_sections(shown)["metrics"]


class Reader(HTMLParser):
    """Tags and attributes that a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def everywhere(text: str) -> str:
    """The pages with this text wherever somebody outside may have put one."""
    response = explained()
    view = response.rollout
    for name in ("name", "service", "baseline", "candidate", "message", "finding", "finding_text", "phase"):
        setattr(view, name, text)
    view.findings.append(text)
    view.rejections.append(admin_pb2.RejectionView(node=text, type=text, message=text))
    view.metrics[0].metric = view.metrics[0].limit = text
    view.servers.append(admin_pb2.ServersView(version=text, sources=1))
    view.slices.append(admin_pb2.SliceView(dimension=text, value=text, metric=text))
    for event in response.events:
        event.text = event.actor = event.action = text
    told = beside(view)
    shown = rollout_page(rollout_record(response), told, may_operate=True)
    sections = {**RENDER.rollout_sections(shown)}
    service = service_line(
        admin_pb2.ServiceView(name=text, protocol=text, hosts=[text], versions=[text], baseline=text, rollout=text)
    )
    plots = [Plot(text, text, text, text, (Line(text, 0, "0,0 1,1", text), Line(text, 1, "", text)))]
    parts = [
        RENDER.page(
            "rollout", rollout=text, sections=sections, parts_of_page=ROLLOUT_PARTS, may_operate=True, asks_name=True,
            csrf=text, who=text, feed=text, curves=plots,
        ),
        *RENDER.home_sections([rollout_line(view)], [service]).values(),
        RENDER.service(
            service, asked=text, problem=text, place=place_line(admin_pb2.CohortResponse(version=text, rule=text)),
            history=plots, curves=plots,
        ),
        RENDER.page("problem", heading=text, words=text),
        RENDER.page("login", to=text, problem=text, has_tokens=True),
    ]  # fmt: skip
    return "\n".join(parts)


PLAIN = Reader(everywhere("plain"))


def test_hostile_text_makes_no_tag_and_no_attribute() -> None:
    read = Reader(everywhere(HOSTILE))
    assert (read.tags, read.attributes) == (PLAIN.tags, PLAIN.attributes)
    assert "49" not in everywhere("{{ 7*7 }}").replace("7*7", "")


@given(st.text(alphabet="<>\"'&/=` aonscript", min_size=1, max_size=40))
def test_no_text_whatever_makes_a_tag_or_an_attribute(text: str) -> None:
    read = Reader(everywhere(text))
    assert (read.tags, read.attributes) == (PLAIN.tags, PLAIN.attributes)


def test_nothing_on_a_page_is_inline_or_from_elsewhere() -> None:
    """The policy that the browser is given would refuse it."""
    assert not {name for name in PLAIN.attributes if name.startswith("on")} | {"style"} & PLAIN.attributes
    assert "http" not in everywhere("plain").replace("http-equiv", "").replace("http://www.w3.org", "")


def row(low: float, high: float) -> MetricRecord:
    return replace(rollout_record(explained()).metrics[0], difference=(low, high))


@given(st.floats(-1, 1), st.floats(0, 1))
def test_a_band_lies_within_its_picture_and_around_nothing(low: float, width: float) -> None:
    band = chart.band(row(low, min(1.0, low + width)))
    assert band is not None
    assert 0 <= band.low <= band.high <= 100
    assert band.low <= 50 <= band.high or not low <= 0 <= min(1.0, low + width)
    assert abs(low) < 0.001 or (band.low < 50) == (low < 0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-50, 2_000)), max_size=30), st.floats(0.1, 100))
def test_a_line_stays_within_its_picture(values: list[tuple[float, float]], top: float) -> None:
    points = [
        tuple(map(float, point.split(","))) for point in chart.line(values, width=220, height=44, top=top).split()
    ]
    assert len(points) == len(values)
    assert all(0 <= x <= 220 and 0 <= y <= 44 for x, y in points)


def test_weights_over_time_begin_at_nothing_and_step() -> None:
    found = chart.weight_lines([(0, 0), (50, 1_000)], [], 100, width=100, height=100)
    assert found is not None
    assert found.configured == "0.0,100.0 50.0,100.0 50.0,90.0 100.0,90.0"
    assert chart.weight_lines([(100, 0)], [], 100, width=1, height=1) is None


def test_the_list_tells_what_waits_for_a_person() -> None:
    view = admin_pb2.RolloutView(name="r", phase="paused", started_at_ms=START_MS, now_ms=START_MS + 61_000)
    assert rollout_line(view).needs_person == "resume or abort"
    view.terminal = True
    assert rollout_line(view).needs_person == ""
    assert SliceLine("cohort a", "errors", "", "", named=True).named
