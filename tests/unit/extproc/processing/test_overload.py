"""When it is too much, in seconds that the tests make up."""

import pytest

from extproc.processing import codec
from extproc.processing.overload import (
    BACKLOG,
    BEAT_S,
    BEHIND_S,
    BUSY,
    LATE_S,
    STRIDE,
    STRIDE_S,
    Overload,
    ShedSession,
)
from serinus.envoywire import ext_proc_pb2
from tests.unit.extproc.messages import request_headers, response_headers
from tests.unit.extproc.processing.test_session import MORE, Stream


class Loop:
    """An event loop's time: it turns, works, and beats."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.overload = Overload(self.now_s)
        self._due_s = self.now_s + BEAT_S

    def opens(self, count: int, each_s: float = 0.0) -> int:
        """How many of them are shed."""
        shed = 0
        for _ in range(count):
            self.now_s += each_s
            self.overload.opened += 1
            shed += self.overload.look(self.now_s)
        return shed

    def beats(self, late_s: float = 0.0) -> bool:
        self.now_s = max(self.now_s, self._due_s + late_s)
        goes_on = self.overload.beat(due_s=self._due_s, now_s=self.now_s)
        self._due_s = self.now_s + BEAT_S
        return goes_on


def test_as_many_as_are_worked_off_in_time_are_never_shed() -> None:
    """50,000 a second, each turn done before the next beat."""
    loop = Loop()
    for _ in range(1_000):
        assert loop.opens(250, each_s=18e-6) == 0
        assert loop.beats(late_s=0.001)


def test_a_turn_that_never_ends_is_shed_in_its_midst() -> None:
    loop = Loop()
    shed = loop.opens(8_000, each_s=20e-6)
    assert shed == pytest.approx(8_000 - BEHIND_S / 20e-6, abs=1)


def test_turns_that_are_each_a_little_late_are_shed_in_the_end() -> None:
    """What waits behind each of them is not seen: only that no beat comes on time."""
    loop = Loop()
    shed = []
    for _ in range(8):
        shed.append(loop.opens(400, each_s=25e-6))
        loop.beats(late_s=2 * LATE_S)
    assert shed[0] == 0
    assert shed[-1] == 400


def test_it_ends_with_the_first_beat_on_time() -> None:
    loop = Loop()
    loop.opens(8_000, each_s=20e-6)
    loop.beats(late_s=1.0)  # late, and with much behind it
    assert loop.opens(1) == 1
    loop.beats(late_s=LATE_S / 2)
    assert loop.opens(BACKLOG) == 0


def test_a_machine_that_gives_us_no_time_is_no_backlog_of_ours() -> None:
    """Stopped for 40 ms at 2,000 a second: what waited is answered in 2 ms, so it gets its tag."""
    loop = Loop()
    for _ in range(100):
        assert loop.opens(BUSY - 20, each_s=20e-6) == 0
        loop.beats(late_s=0.040)


def test_beats_stop_when_few_come() -> None:
    loop = Loop()
    loop.opens(BUSY)
    assert loop.beats()
    loop.opens(BUSY - 1)
    assert not loop.beats()


def test_beats_are_needed_where_many_come_at_a_time() -> None:
    loop = Loop()
    loop.opens(STRIDE, each_s=STRIDE_S / STRIDE * 1.01)
    assert loop.overload.is_calm(loop.now_s)
    loop.opens(STRIDE, each_s=STRIDE_S / STRIDE * 0.99)
    assert not loop.overload.is_calm(loop.now_s)
    assert loop.overload.opened == STRIDE


def test_a_request_that_is_shed_passes_as_it_is_and_is_counted() -> None:
    stream = Stream()
    shed = ShedSession(stream.session, stream.catalogue.requests)
    reply = shed.receive(request_headers(x_user_id="u1"))
    assert (reply.message, reply.is_done) == (codec.CONTINUE, True)
    answer = ext_proc_pb2.ProcessingResponse.FromString(codec.CONTINUE)
    assert answer.WhichOneof("response") == "request_headers"
    assert not answer.request_headers.response.HasField("header_mutation")
    assert not answer.request_headers.response.clear_route_cache
    assert stream.results == {"shed": 1}
    shed.close()


def test_an_observation_is_not_shed() -> None:
    stream = Stream()
    shed = ShedSession(stream.session, stream.catalogue.requests)
    assert shed.receive(response_headers()) == MORE
    shed.close()
    assert len(stream.seen) == 1
    assert stream.results == {}
