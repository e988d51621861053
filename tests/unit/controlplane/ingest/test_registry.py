"""Who reports, what is closed, and what Envoy's counters said lately."""

from controlplane.ingest.merge import AHEAD_S_MAX
from controlplane.ingest.registry import EPOCHS_MAX, SILENT_MS, WINDOW_MS, Registry
from controlplane.ingest.rows import Batch, ClusterHealth, Hello, ProxyCounters
from controlplane.rollout.events import SidecarFact

T0 = 1_700_000_000_000
A, B = Hello("edge-1", 100, "serinus"), Hello("edge-2", 100, "serinus")


def batch(
    seq: int,
    closed: int,
    *,
    counters: tuple[int, int, int, int] | None = (0, 0, 0, 0),
    shed: int = 0,
    read_ms: int = 0,
    elsewhere: bool = False,
) -> Batch:
    proxy = ProxyCounters(*counters, (ClusterHealth("chat/v2", 2, 1),), read_ms) if counters else None
    return Batch(seq, closed, (), proxy, 0, shed, elsewhere)


def heard(registry: Registry, hello: Hello, seq: int, closed: int, at_ms: int, **fields: object) -> None:
    registry.batch(hello, batch(seq, closed, **fields), at_ms)  # type: ignore[arg-type]


def test_a_slot_is_closed_when_every_live_sidecar_has_closed_it() -> None:
    registry = Registry()
    assert registry.closed_through(T0) is None
    registry.hello(A, T0)
    registry.hello(B, T0)
    heard(registry, A, 1, 50, T0)
    assert registry.closed_through(T0) is None
    heard(registry, B, 1, 48, T0)
    assert registry.closed_through(T0) == 48


def test_a_clock_that_is_ahead_closes_nothing_that_has_not_come_and_is_told_by_its_seconds() -> None:
    registry, now_slot = Registry(), T0 // 1_000
    registry.hello(A, T0)
    heard(registry, A, 1, now_slot + AHEAD_S_MAX, T0)
    assert registry.closed_through(T0) == now_slot
    assert registry.sidecar_fact(["edge-1"], "", T0).ahead == ()
    heard(registry, A, 2, now_slot + AHEAD_S_MAX + 1, T0)
    assert registry.closed_through(T0) == now_slot
    assert registry.sidecar_fact(["edge-1"], "", T0).ahead == (("edge-1", AHEAD_S_MAX + 1),)
    later = T0 + 60_000
    heard(registry, A, 3, later // 1_000 - 12, later)
    assert registry.closed_through(later) == later // 1_000 - 12
    assert registry.sidecar_fact(["edge-1"], "", later).ahead == ()


def test_what_a_clock_ahead_has_written_tells_it_before_anything_is_closed() -> None:
    """At a follow-up of a minute slots close a minute late: its rows and readings are ahead, what it closes is not."""
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, T0 // 1_000 - 20, T0, read_ms=T0 + 45_000)
    assert registry.sidecar_fact(["edge-1"], "", T0).ahead == (("edge-1", 45),)


def test_a_dead_sidecar_holds_slots_back_for_a_bounded_time() -> None:
    registry = Registry()
    for hello in (A, B):
        registry.hello(hello, T0)
        heard(registry, hello, 1, 50, T0)
    registry.goodbye(B)
    later = T0 + SILENT_MS + 1
    heard(registry, A, 2, 56, later)
    assert registry.closed_through(T0 + SILENT_MS) == 50
    assert registry.closed_through(later) == 56


def test_while_a_new_process_takes_over_both_epochs_count() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 50, T0)
    new = Hello("edge-1", 200, "serinus")
    registry.hello(new, T0)
    heard(registry, new, 1, 60, T0)
    assert registry.closed_through(T0) == 50
    assert registry.sidecar_fact(["edge-1"], "", T0).connected == 1


def test_a_hung_sidecar_is_silent_though_its_stream_is_open() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 50, T0)
    assert registry.sidecar_fact(["edge-1"], "", T0 + SILENT_MS).silent == ()
    assert registry.sidecar_fact(["edge-1"], "", T0 + SILENT_MS + 1).silent == ("edge-1",)


def test_a_proxy_without_a_sidecar_is_silent_and_a_sidecar_without_a_proxy_is_not_asked() -> None:
    registry = Registry()
    registry.hello(A, T0)
    fact = registry.sidecar_fact(["edge-2"], "", T0)
    assert (fact.connected, fact.silent) == (0, ("edge-2",))


def test_policy_acceptance_and_refusal() -> None:
    registry = Registry()
    registry.hello(A, T0)
    assert registry.sidecar_fact(["edge-1"], "p1", T0).waiting == ("edge-1",)
    registry.policy_ack(A, "p1", "")
    assert registry.sidecar_fact(["edge-1"], "p1", T0).waiting == ()
    registry.policy_ack(A, "p2", "bad rule")
    assert registry.sidecar_fact(["edge-1"], "p2", T0).rejections == ("edge-1: bad rule",)
    assert registry.sidecar_fact(["edge-1"], "p2", T0).waiting == ("edge-1",)


def test_counters_are_increments_over_the_window_and_survive_an_envoy_restart() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 1, T0, counters=(1000, 7, 1000, 3))
    heard(registry, A, 2, 2, T0 + 1000, counters=(1100, 17, 1100, 3))
    heard(registry, A, 3, 3, T0 + 2000, counters=(50, 0, 40, 0))
    fact = registry.data_fact(["edge-1"], T0 + 2000)
    assert (fact.answered, fact.untagged, fact.logs_written, fact.logs_lost) == (150, 10, 140, 0)
    assert registry.data_fact(["edge-1"], T0 + 2000 + WINDOW_MS + 1).answered == 0
    assert registry.data_fact(["edge-2"], T0 + 2000).answered == 0


def test_an_envoy_that_cannot_be_read_is_named() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 1, T0, counters=None)
    assert registry.data_fact(["edge-1"], T0).unreadable == ("edge-1",)


def test_what_a_sidecar_shed_went_untagged_though_envoy_was_answered() -> None:
    """Each epoch counts its own from 0; what was shed before a connection was lost is told by the next batch."""
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 1, T0, counters=(1000, 0, 1000, 0), shed=5)
    heard(registry, A, 2, 2, T0 + 1000, counters=(1100, 1, 1100, 0), shed=45)
    second = Hello("edge-1", 200, "serinus")
    registry.hello(second, T0 + 1000)
    heard(registry, second, 1, 2, T0 + 1000, counters=None, shed=10, elsewhere=True)
    fact = registry.data_fact(["edge-1"], T0 + 1000)
    assert (fact.answered, fact.untagged) == (45, 56)
    fact = registry.data_fact(["edge-1"], T0 + WINDOW_MS + 1_001)
    assert (fact.answered, fact.untagged) == (0, 0)


def test_counters_come_from_whichever_worker_reads_them() -> None:
    registry = Registry()
    second = Hello("edge-1", 200, "serinus")
    for hello in (A, second):
        registry.hello(hello, T0)
    heard(registry, A, 1, 1, T0, counters=(1000, 0, 1000, 0), read_ms=T0)
    heard(registry, second, 1, 1, T0, counters=None, elsewhere=True)
    heard(registry, A, 2, 2, T0 + 1000, counters=(1100, 1, 1100, 1), read_ms=T0 + 1000)
    fact = registry.data_fact(["edge-1"], T0 + 1000)
    assert (fact.answered, fact.untagged, fact.logs_lost, fact.unreadable) == (100, 1, 1, ())


def test_a_reading_that_was_overtaken_is_no_restart_of_envoy() -> None:
    """The process before ended with batches in its queue; its successor's came first."""
    registry = Registry()
    second = Hello("edge-1", 200, "serinus")
    for hello in (A, second):
        registry.hello(hello, T0)
    heard(registry, second, 1, 1, T0, counters=(1100, 1, 1100, 0), read_ms=T0 + 10)
    heard(registry, A, 9, 1, T0 + 5, counters=(1000, 0, 1000, 0), read_ms=T0)
    heard(registry, second, 2, 2, T0 + 1000, counters=(1200, 1, 1200, 0), read_ms=T0 + 1010)
    fact = registry.data_fact(["edge-1"], T0 + 1000)
    assert (fact.answered, fact.untagged, fact.logs_written) == (100, 0, 100)
    set_back = T0 - 7_200_000
    heard(registry, second, 3, 3, T0 + 2000, counters=(1300, 1, 1300, 0), read_ms=set_back)
    assert registry.data_fact(["edge-1"], T0 + 2000).answered == 200


def test_when_the_worker_that_reads_hangs_the_counters_are_unreadable() -> None:
    registry = Registry()
    second = Hello("edge-1", 200, "serinus")
    for hello in (A, second):
        registry.hello(hello, T0)
    heard(registry, A, 1, 1, T0, read_ms=T0)
    for seconds in range(1, 7):
        heard(registry, second, seconds, 1, T0 + 1000 * seconds, counters=None, elsewhere=True)
    assert registry.data_fact(["edge-1"], T0 + SILENT_MS).unreadable == ()
    assert registry.data_fact(["edge-1"], T0 + 6_000).unreadable == ("edge-1",)


def test_counters_that_nobody_ever_read_are_unreadable_too() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 1, T0 + 6_000, counters=None, elsewhere=True)
    assert registry.data_fact(["edge-1"], T0 + 6_000).unreadable == ("edge-1",)


def test_every_worker_must_have_the_policy() -> None:
    registry = Registry()
    second = Hello("edge-1", 200, "serinus")
    for hello in (A, second):
        registry.hello(hello, T0)
    registry.policy_ack(second, "p1", "")
    assert registry.sidecar_fact(["edge-1"], "p1", T0).waiting == ("edge-1",)
    registry.policy_ack(A, "p1", "bad rule")
    assert registry.sidecar_fact(["edge-1"], "p1", T0).rejections == ("edge-1: bad rule",)
    registry.policy_ack(A, "p1", "")
    assert registry.sidecar_fact(["edge-1"], "p1", T0) == SidecarFact(connected=1)
    registry.policy_ack(Hello("edge-1", 300, "serinus"), "p1", "never said hello")


def test_of_too_many_epochs_the_longest_silent_is_forgotten() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 50, T0 + 10_000)
    for epoch in range(EPOCHS_MAX):
        registry.hello(Hello("edge-1", 200 + epoch, "serinus"), T0)
    assert registry.closed_through(T0 + 10_000) == 50


def test_health_is_what_each_proxys_newest_report_says() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 1, T0)
    assert registry.health(["edge-1", "edge-2"], "chat/v2") == (("edge-1", 1, 2),)
    assert registry.health(["edge-1"], "chat/v9") == ()
