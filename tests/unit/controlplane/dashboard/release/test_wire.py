"""What stands in the release record beside the verdict: nothing of it is lost, and what could not be read is said."""

import pytest

from controlplane.dashboard.record import Section
from controlplane.dashboard.release.wire import appendix, findings_section, release_section
from controlplane.dashboard.report import render_html, render_markdown
from controlplane.dashboard.wire import rollout_record
from serinus.v1 import admin_pb2
from tests.unit.controlplane.dashboard.samples import START_MS, explained
from tests.unit.controlplane.dashboard.test_report import HOSTILE, Reader

SHA = "5f" * 32


def told(name: str = "ann") -> admin_pb2.ExplainResponse:
    response = explained()
    response.rollout_sha256 = SHA
    response.events[0].actor = name
    response.events.add(at_ms=START_MS + 14_000, action="hold", reason="paused", text="paused by bob", actor="bob")
    response.rollout.findings.append(f"the secret of {name} cannot be read")
    response.rollout.untagged_recent = 3
    response.rollout.rejections.add(node="edge-1", type="Cluster", message=f"no such file {name}")
    response.rollout.slices.add(
        dimension="region", value=name, candidate_requests=9, candidate_bad=4, worse_log_e=2.5, named=True
    )
    return response


def seen(name: str = "ann") -> tuple[admin_pb2.GetResponse, admin_pb2.AuditResponse]:
    proxies = admin_pb2.GetResponse()
    proxies.proxies.add(node=name, envoy_version="1.40.0", state="up to date", accepted_routes="abc123")
    audit = admin_pb2.AuditResponse()
    audit.entries.add(at_ms=START_MS, actor=name, verb="Pause", objects=["rollout/chat-v3"], reason="a look", role="x")
    return proxies, audit


def sections(name: str = "ann") -> tuple[tuple[Section, ...], tuple[Section, ...]]:
    response = told(name)
    first = (release_section(response, serinus_version="9.8.7"), findings_section(response.rollout))
    return first, tuple(appendix(response, *seen(name), unread=""))


FACTS = (
    "v2",
    "ann, bob",
    SHA,
    "serinus 9.8.7",
    "2026-09-21",
    "the secret of ann cannot be read",
    "3 requests untagged of late",
    "rejected by edge-1",
    "Cluster: no such file ann",
    "4 of 9",
    "1.40.0",
    "a look",
    "abc123",
    "start at 10%",
    "rollback: finish_reason:length: worse",
)


def test_html_and_markdown_hold_who_what_and_why() -> None:
    record = rollout_record(told())
    words = Reader(render_html(record, *sections())).words
    plain = render_markdown(record, *sections()).replace("\\", "")
    for fact in FACTS:
        assert fact in words
        assert fact in plain


def test_hostile_names_stay_text_and_the_page_stays_whole() -> None:
    page = Reader(render_html(rollout_record(told(HOSTILE)), *sections(HOSTILE)))
    assert page.open == []
    assert {"script", "a", "img"}.isdisjoint(page.seen)
    assert page.words.count(HOSTILE) >= 5


def test_hostile_names_cannot_leave_a_cell_of_markdown() -> None:
    text = render_markdown(rollout_record(told(HOSTILE)), *sections(HOSTILE))
    assert "<script>" not in text.replace("\\<", "")
    rows = [line for line in text.splitlines() if line.startswith("| region |")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 8


@pytest.mark.parametrize(("more", "note"), [(True, "There are older acts than these."), (False, "")])
def test_an_audit_that_is_cut_says_so(more: bool, note: str) -> None:
    proxies, audit = seen()
    audit.more = more
    (found,) = [each for each in appendix(told(), proxies, audit, unread="") if each.heading == "Audit"]
    assert (found.note, len(found.rows)) == (note, 1)


def test_what_is_empty_or_may_not_be_read_is_said_in_words() -> None:
    bare = explained()
    made = list(appendix(bare, admin_pb2.GetResponse(), None, unread="viewers may not"))
    assert [(each.heading, each.note) for each in made] == [
        ("Audit", "Not in this record: viewers may not"),
        ("Proxies when this was written", "None is connected."),
    ]
    nobody = next(iter(appendix(bare, admin_pb2.GetResponse(), admin_pb2.AuditResponse(), unread="")))
    assert nobody.note == "No act of a person is recorded."
    assert findings_section(bare.rollout).note.startswith("Nothing: no finding")
    assert ("begun by", "not recorded") in release_section(bare, serinus_version="1").rows
