"""The release record: one file that needs nothing else, holds the facts, and takes every text as text."""

from html.parser import HTMLParser

import pytest

from controlplane.dashboard.record import Section
from controlplane.dashboard.report import render_html, render_markdown
from controlplane.dashboard.wire import rollout_record
from serinus.v1 import admin_pb2
from tests.unit.controlplane.dashboard.samples import explained

# Void elements have no end (HTML, 13.1.2).
VOID = {"meta", "br", "hr", "img", "link", "input"}
SECTIONS = (
    Section("What the users saw", rows=(("requests", "218"), ("failed requests", "0"))),
    Section("Manifests", text="kind: Rollout\nsteps: [10%]\n"),
)
HOSTILE = '<script>alert(1)</script> & "quotes" | pipe `tick` [link](javascript:x) $math$'


class Reader(HTMLParser):
    """Checks that elements nest, and collects text, ids and everything that would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data", "style") and value and not value.startswith("#"):
                self.loads.append(f"{tag} {name}={value}")


def read(response: admin_pb2.ExplainResponse | None = None) -> Reader:
    return Reader(render_html(rollout_record(response or explained()), SECTIONS))


def test_the_file_is_one_well_formed_document() -> None:
    page = read()
    assert page.open == []
    assert {"html", "head", "title", "body", "table", "svg"} <= page.seen


def test_nothing_is_loaded_from_anywhere() -> None:
    page = read()
    assert [each for each in page.loads if "style=" not in each] == []
    assert not any("url(http" in each or "@import" in each for each in page.loads)
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(page.seen)


def test_ids_are_unique_although_three_pictures_share_the_document() -> None:
    ids = read().ids
    assert len(ids) == len(set(ids)) > 10


def test_every_reference_inside_a_picture_leads_to_an_id_of_the_document() -> None:
    text = render_html(rollout_record(explained()))
    ids = set(Reader(text).ids)
    named = {part.split('"')[0] for part in text.split('href="#')[1:]}
    named |= {part.split(")")[0] for part in text.split("url(#")[1:]}
    assert named
    assert named <= ids


def test_the_facts_are_there_in_words() -> None:
    words = read().words
    for fact in (
        "Rollout chat-v3: v3 over v2 in service chat",
        "↩ rolled back; steps 10% -> 50% -> 100%; started 2026-09-21",
        "took 15 s",
        "8 of 8 users (100.0%)",
        "1 of 85 users (1.2%)",
        "✖ worse",
        "? not enough evidence",
        "excess under 10pp",
        "failed requests",
        "kind: Rollout",
        "It had a plan.",
        "15.0 s: finish_reason:length: worse",
    ):
        assert fact in words


def test_each_picture_says_what_it_shows_to_those_who_do_not_see_it() -> None:
    assert render_html(rollout_record(explained())).count('role="img" aria-label="') == 3


@pytest.mark.parametrize("field", ["name", "message", "candidate"])
def test_hostile_text_stays_text(field: str) -> None:
    response = explained()
    setattr(response.rollout, field, HOSTILE)
    response.sentences.append(HOSTILE)
    response.events[0].text = HOSTILE
    response.rollout.metrics[0].metric = HOSTILE
    for sample in response.samples:
        sample.metrics[0].metric = HOSTILE
    page = read(response)
    assert "script" not in page.seen
    assert HOSTILE in page.words


def test_a_rollout_without_data_has_a_report_too() -> None:
    view = admin_pb2.RolloutView(name="a", phase="preparing", started_at_ms=1000, now_ms=2000)
    page = read(admin_pb2.ExplainResponse(rollout=view))
    assert page.open == []
    assert "nothing recorded" in page.words


def test_markdown_holds_the_same_facts() -> None:
    text = render_markdown(rollout_record(explained()), SECTIONS)
    for fact in (
        "# Rollout chat-v3",
        "8 of 8 users (100.0%)",
        "✖ worse",
        "| requests | 218 |",
        "```yaml\nkind: Rollout",
    ):
        assert fact in text


def test_markdown_cells_cannot_break_out_of_their_table_or_block() -> None:
    response = explained()
    response.events[0].text = "a | b\n# no heading"
    text = render_markdown(rollout_record(response), (Section("S", text="```\nend\n```"),))
    assert "| 0.0 s | hold | a \\| b # no heading |" in text
    assert "````yaml\n```\nend\n```\n````" in text


def test_the_same_record_gives_the_same_file() -> None:
    assert render_html(rollout_record(explained())) == render_html(rollout_record(explained()))


def test_the_difference_of_the_arms_stands_with_its_interval() -> None:
    response = explained()
    response.rollout.metrics[1].difference_interval.low = 0.4512
    response.rollout.metrics[1].difference_interval.high = 0.99
    record = rollout_record(response)
    for text in (render_html(record), render_markdown(record)):
        assert "+45.12 to +99.00 pp" in text
        assert "not told" in text


def test_what_the_evidence_looks_like_is_said_by_its_name() -> None:
    response = explained()
    assert "evidence looks like" not in render_markdown(rollout_record(response))
    response.rollout.finding, response.rollout.finding_text = "shared_incident", "both versions fail more"
    record = rollout_record(response)
    assert "The evidence looks like: shared incident (both versions fail more)." in render_markdown(record)
    assert "The evidence looks like: shared incident (both versions fail more)." in render_html(record)


def test_long_times_are_told_in_hours_and_minutes() -> None:
    response = explained()
    response.rollout.ended_at_ms = response.rollout.started_at_ms + 7_265_000
    response.events[2].at_ms = response.rollout.ended_at_ms
    text = render_markdown(rollout_record(response))
    assert "took 2:01:05" in text
    assert "| 10% | 2026-09-21 14:13:21 | 2:01:04 |" in text
    assert "| 2:01:05 | rollback |" in text


def test_the_interval_of_each_arm_stands_beside_its_share() -> None:
    response = explained()
    interval = response.rollout.metrics[1].candidate_interval
    interval.low, interval.high = 0.6, 1.0
    assert "8 of 8 users (100.0%), 95%: 60.00-100.00%" in render_markdown(rollout_record(response))
