"""Who reports, what is closed, and what Envoy's counters said lately."""

from controlplane.ingest.registry import SILENT_MS, WINDOW_MS, Registry
from controlplane.ingest.rows import Batch, ClusterHealth, Hello, ProxyCounters

T0 = 1_700_000_000_000
A, B = Hello("edge-1", 100, "serinus"), Hello("edge-2", 100, "serinus")


def batch(seq: int, closed: int, *, counters: tuple[int, int, int, int] | None = (0, 0, 0, 0)) -> Batch:
    proxy = ProxyCounters(*counters, (ClusterHealth("chat/v2", 2, 1),)) if counters else None
    return Batch(seq, closed, (), proxy, 0)


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


def test_health_is_what_each_proxys_newest_report_says() -> None:
    registry = Registry()
    registry.hello(A, T0)
    heard(registry, A, 1, 1, T0)
    assert registry.health(["edge-1", "edge-2"], "chat/v2") == (("edge-1", 1, 2),)
    assert registry.health(["edge-1"], "chat/v9") == ()
