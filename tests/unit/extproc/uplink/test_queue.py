from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.uplink.queue import Batch, ReportQueue


def encode(seq: int) -> bytes:
    return b"batch %d" % seq


def filled(count: int, **limits: int) -> ReportQueue:
    queue = ReportQueue(**limits)
    for _ in range(count):
        queue.push(encode, row_count=1)
    return queue


def sent(queue: ReportQueue) -> list[int]:
    out = []
    while (batch := queue.next_unsent()) is not None:
        out.append(batch.seq)
    return out


def test_batches_are_numbered_from_one_and_sent_once_in_order() -> None:
    queue = filled(3)
    assert sent(queue) == [1, 2, 3]
    assert sent(queue) == []
    assert queue.awaits_ack


def test_a_new_connection_sends_again_what_is_not_acknowledged_under_the_same_number() -> None:
    queue = filled(3)
    before = queue.next_unsent()
    sent(queue)
    queue.ack(2)
    queue.rewind()
    assert not queue.awaits_ack
    assert queue.next_unsent() == before == Batch(1, b"batch 1", 1)
    assert sent(queue) == [3]


def test_a_repeated_acknowledgement_changes_nothing() -> None:
    queue = filled(1)
    assert queue.ack(1) == Batch(1, b"batch 1", 1)
    assert queue.ack(1) is None
    assert queue.ack(7) is None
    assert len(queue) == 0
    queue.push(encode, 0)
    assert sent(queue) == [2]


def test_a_full_queue_drops_the_oldest_and_says_which() -> None:
    queue = filled(2, batches_max=2)
    assert [batch.seq for batch in queue.push(encode, 1)] == [1]
    assert sent(queue) == [2, 3]


def test_a_queue_that_is_too_heavy_drops_the_oldest_but_never_the_new_one() -> None:
    queue = ReportQueue(bytes_max=10)
    queue.push(lambda _seq: b"x" * 6, 1)
    assert [batch.seq for batch in queue.push(lambda _seq: b"x" * 6, 1)] == [1]
    assert [batch.seq for batch in queue.push(lambda _seq: b"x" * 60, 1)] == [2]
    assert len(queue) == 1


class Receiver:
    """The control plane's side: counts each number once."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def receive(self, batch: Batch) -> None:
        if batch.seq not in self.seen:
            self.seen.append(batch.seq)


@settings(deadline=None)
@given(events=st.lists(st.sampled_from(["push", "send", "ack", "lose", "reconnect"]), max_size=80))
def test_every_batch_arrives_exactly_once_whatever_breaks(events: list[str]) -> None:
    queue, receiver, flying = ReportQueue(), Receiver(), []
    pushed = 0
    for event in events:
        if event == "push":
            queue.push(encode, 1)
            pushed += 1
        elif event == "send" and (batch := queue.next_unsent()) is not None:
            receiver.receive(batch)
            flying.append(batch.seq)
        elif event == "ack" and flying:
            queue.ack(flying.pop(0))
        elif event == "lose":
            flying.clear()  # acknowledgements that never come
        elif event == "reconnect":
            flying.clear()
            queue.rewind()
    queue.rewind()
    while (batch := queue.next_unsent()) is not None:
        receiver.receive(batch)
        queue.ack(batch.seq)
    assert receiver.seen == sorted(receiver.seen) == list(range(1, pushed + 1))
    assert len(queue) == 0
