from dataclasses import replace

import pytest

from extproc.accesslog.entry import Entry
from extproc.accesslog.wire import BadLogMessageError, Skipped, entries_of, line_head, lines_of
from extproc.outcome.classify import Ending
from serinus.contract.logline import TAG
from serinus.envoywire import accesslog_pb2
from tests.unit.extproc.messages import START_US, lined, log_entry, log_message


def one(entry: accesslog_pb2.HTTPAccessLogEntry) -> Entry | Skipped:
    (found,) = entries_of(log_message(entry))
    return found


def test_an_entry_as_envoy_writes_it() -> None:
    assert one(log_entry(flags="URX,UC", code=503, version="v2", bucket=137, pin="v2")) == Entry(
        service="chat",
        rollout="chat-v2",
        snapshot="0123456789abcdef",
        weight_bp=500,
        weight_class="1",
        candidate="v2",
        baseline="v1",
        version="v2",
        start_us=START_US,
        duration_us=20_000,
        bucket=137,
        cohort="everyone",
        key_hash=0xAB00 + 137,
        pin="v2",
        ending=Ending(503, frozenset({"URX", "UC"}), is_finished=True, method=3),
        attempts=1,
        request_id="q1",
        ttfb_us=5_000,
        finished_us=20_000,
    )


def test_no_flags_and_no_cluster_are_written_as_a_dash() -> None:
    entry = one(log_entry(flags="-", version="-"))
    assert isinstance(entry, Entry)
    assert (entry.ending.flags, entry.version) == (frozenset(), "")


def test_a_service_without_a_rollout_has_no_tag_for_it() -> None:
    entry = one(log_entry(rollout="", candidate="", weight_bp="0"))
    assert isinstance(entry, Entry)
    assert (entry.rollout, entry.candidate, entry.weight_bp) == ("", "", 0)


def test_an_untagged_request_has_no_bucket_nor_cohort() -> None:
    entry = one(log_entry(cohort=""))
    assert isinstance(entry, Entry)
    assert (entry.bucket, entry.cohort, entry.key_hash, entry.pin) == (None, None, None, None)


def test_a_request_without_a_key_has_a_cohort_but_no_bucket() -> None:
    entry = one(log_entry(cohort="no_key", bucket=None, pin="v1"))
    assert isinstance(entry, Entry)
    assert (entry.bucket, entry.cohort, entry.key_hash, entry.pin) == (None, "no_key", None, "v1")


def test_an_answer_of_envoys_own_has_no_upstream_byte_to_miss() -> None:
    entry = log_entry(finished=False)
    entry.common_properties.upstream_request_attempt_count = 0
    found = one(entry)
    assert isinstance(found, Entry)
    assert found.ending.is_finished


def test_without_a_response_the_code_is_0_and_the_first_byte_absent() -> None:
    entry = log_entry(finished=False, flags="DC")
    entry.response.ClearField("response_code")
    entry.common_properties.ClearField("time_to_first_upstream_rx_byte")
    found = one(entry)
    assert isinstance(found, Entry)
    assert (found.ending.code, found.ending.is_finished, found.ttfb_us) == (0, False, None)


@pytest.mark.parametrize("service", ["", "-"])
def test_an_entry_without_a_service_is_foreign(service: str) -> None:
    assert one(log_entry(service=service)) == Skipped("foreign")


def test_an_entry_of_a_request_that_still_runs_says_so_and_one_of_its_beginning_is_partial() -> None:
    entry, ended = log_entry(), one(log_entry())
    assert isinstance(ended, Entry)
    entry.common_properties.access_log_type = 5  # DownstreamPeriodic
    assert one(entry) == replace(ended, is_running=True)
    entry.common_properties.access_log_type = 4  # DownstreamStart
    assert one(entry) == Skipped("partial")


def test_tags_that_lie_are_malformed() -> None:
    bucket, key = log_entry(bucket=10_000), log_entry()
    key.common_properties.metadata.filter_metadata["serinus"].fields["key"].string_value = "zz"
    for entry in (log_entry(weight_bp="many"), log_entry(weight_bp="10001"), bucket, key):
        assert one(entry) == Skipped("malformed")


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), -1.0, 10_000.0])
def test_a_bucket_that_is_none_is_malformed(number: float) -> None:
    """Found by fuzzing: infinity raised OverflowError, which nobody caught."""
    entry = log_entry()
    entry.common_properties.custom_tags.clear()
    entry.common_properties.custom_tags["service"] = "chat"
    entry.common_properties.metadata.filter_metadata["serinus"].fields["bucket"].number_value = number
    assert one(entry) == Skipped("malformed")


def test_a_message_that_cannot_be_read_raises() -> None:
    with pytest.raises(BadLogMessageError):
        list(entries_of(b"\xff\xff"))


def test_a_message_of_another_log_kind_has_no_entries() -> None:
    assert list(entries_of(b"")) == []


def test_the_weight_class_comes_from_the_route_and_a_route_without_one_is_everyones() -> None:
    assert one(log_entry(weight_class="0.5", weight_bp="250")).weight_class == "0.5"
    assert one(log_entry()).weight_class == one(log_entry(weight_class="-")).weight_class == "1"


def tag_of(entry: accesslog_pb2.HTTPAccessLogEntry) -> bytes:
    line = lined(entry).common_properties.custom_tags[TAG].encode()
    return line_head(len(line)) + line


def test_the_lines_of_a_message_stand_in_the_order_of_its_entries() -> None:
    entries = [log_entry(request_id=f"q{number}") for number in range(40)]
    assert lines_of(log_message(*map(lined, entries))) == [tag_of(entry) for entry in entries]


def test_entries_without_a_line_or_with_several_tags_keep_their_place() -> None:
    """Read all at once their tags would stand in one row, with nothing to tell whose they are."""
    bare = log_entry()
    bare.common_properties.custom_tags.clear()
    found = lines_of(log_message(bare, lined(log_entry()), log_entry()))
    assert (len(found), found[0], found[1]) == (3, b"", tag_of(log_entry()))


def test_lines_of_what_is_no_message_raise() -> None:
    with pytest.raises(BadLogMessageError):
        lines_of(b"\xff\xff")
