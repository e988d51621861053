"""An entry read by its line alone is counted as the whole entry is, message by message, whatever is in it."""

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.accesslog.ingest import Ingest
from extproc.accesslog.wire import line_head, lines_of
from extproc.aggregate.slot import Sealed
from extproc.aggregate.window import SlotWindow
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.logline import TAG
from serinus.envoywire import accesslog_pb2
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.messages import POLICY, START_US, lined, log_entry, log_message

Entry = accesslog_pb2.HTTPAccessLogEntry
SEEN = (
    UNOBSERVABLE,
    Observation(True, True, "stop", has_content=True, content_us=START_US + 9_000, tokens_out=48, is_paced=True),
    Observation(True, True, "stop", has_content=True, content_us=START_US + 2_000_000, tokens_out=2, is_paced=True),
    Observation(observable=True, complete=True, finish_reason="length", has_content=True),
    Observation(observable=True, complete=True),
    Observation(observable=True, error_frame=True),
)


@dataclass
class Reader:
    """The sidecar's ingest with its policies: bodies of `chat` are observed, those of `embed` are not."""

    def __post_init__(self) -> None:
        self.catalogue, self.clock = Catalogue(), ManualClock()
        self.policies = PolicyHolder(10_000)
        embed = replace(POLICY, service="embed", observe_body=False, follow_up_ms=500)
        some = replace(POLICY, service="some", observe_sampled=True)
        self.policies.replace(PolicySet("p1", {"chat": POLICY, "embed": embed, "some": some}))
        self.window = SlotWindow(self.catalogue)
        self.ingest = Ingest(policies=self.policies, window=self.window, catalogue=self.catalogue, clock=self.clock)

    def sealed(self) -> Sealed:
        self.ingest.flush()
        return self.window.take(self.clock.ms, 10_000)

    def tables(self) -> list[object]:
        """Sums of seconds depend on the order of addition in their last digits: they are left out."""
        tables = self.catalogue.tables()
        return [{k: getattr(v, "counts", v) for k, v in table.values.items()} for table in tables]


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    cohort = draw(st.sampled_from(["everyone", "staff", ""]))
    entry = log_entry(
        service=draw(st.sampled_from(["chat", "embed", "some", "unknown", ""])),
        rollout=draw(st.sampled_from(["chat-v2", ""])),
        weight_bp=draw(st.sampled_from(["0", "500", "10000", "", "10001", "many"])),
        request_id=draw(st.sampled_from(["q1", "q2", "q3"])),
        code=draw(st.sampled_from([200, 200, 204, 408, 429, 500, 503, 0])),
        flags=draw(st.sampled_from(["-", "DC", "URX,UF", "NC", "RL", "UT"])),
        version=draw(st.sampled_from(["v1", "v2", "-"])),
        bucket=draw(st.sampled_from([None, 0, 499, 500, 9_999, 10_000])),
        cohort=cohort,
        pin=draw(st.sampled_from(["", "", "v2"])),
        finished=draw(st.booleans()),
        start_us=START_US + draw(st.integers(0, 3_000_000)),
        duration_us=draw(st.integers(0, 700_000) | st.integers(0, 20_000_000)),
        grpc=draw(st.sampled_from(["", "-", "0", "13", "1", "x"])),
        sampled=draw(st.sampled_from(["-", "{}"])),
        us_rx_body_beg=draw(st.sampled_from(["", "0", "7000", "900000000"])),
    )
    common = entry.common_properties
    common.upstream_request_attempt_count = draw(st.integers(0, 2))
    common.access_log_type = draw(st.sampled_from([6, 6, 6, 5]))
    entry.request.request_method = draw(st.sampled_from([3, 1]))
    if draw(st.booleans()):
        common.ClearField("time_to_first_upstream_rx_byte")
    return entry


Story = list[list[Entry] | tuple[str, Observation] | int]
STORIES: st.SearchStrategy[Story] = st.lists(
    st.lists(entries(), max_size=4)
    | st.tuples(st.sampled_from(["q1", "q2", "q3"]), st.sampled_from(SEEN))
    | st.integers(0, 1_500),
    max_size=12,
)


def tell(reader: Reader, story: Story, *, by_line: bool) -> None:
    for event in story:
        match event:
            case list():
                reader.ingest.access_logs(log_message(*(lined(each) if by_line else each for each in event)))
            case (request_id, observation):
                reader.ingest.observation(request_id, observation)
            case int():
                reader.clock.ms += event
                reader.ingest.tick()


@settings(deadline=None, max_examples=150)
@given(STORIES)
def test_by_its_line_or_as_a_whole_an_entry_is_counted_the_same(story: Story) -> None:
    by_line, whole = Reader(), Reader()
    tell(by_line, story, by_line=True)
    tell(whole, story, by_line=False)
    assert by_line.sealed() == whole.sealed()
    assert by_line.tables() == whole.tables()
    assert by_line.ingest.take_received() == whole.ingest.take_received()


@settings(deadline=None)
@given(st.lists(entries(), max_size=5))
def test_the_thin_reading_of_a_message_finds_the_line_that_the_whole_reading_finds(found: list[Entry]) -> None:
    message = log_message(*map(lined, found))
    parsed = accesslog_pb2.StreamAccessLogsMessage.FromString(message)
    lines = [entry.common_properties.custom_tags[TAG].encode() for entry in parsed.http_logs.log_entry]
    assert lines_of(message) == [line_head(len(line)) + line for line in lines]


LINE = lined(log_entry()).common_properties.custom_tags[TAG]
TEXT = st.text(st.sampled_from("\t -,:0129afxé\x00"), max_size=300)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_line_however_strange_stops_the_reader(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(LINE)))
    line = LINE[:start] + data.draw(TEXT) + LINE[data.draw(st.integers(start, len(LINE))) :]
    entry = log_entry()
    entry.common_properties.custom_tags.clear()
    entry.common_properties.custom_tags[data.draw(st.sampled_from([TAG, "other", ""]))] = line
    reader = Reader()
    reader.ingest.access_logs(log_message(entry, lined(log_entry())))
    assert reader.ingest.take_received() == 2
    reader.sealed()
