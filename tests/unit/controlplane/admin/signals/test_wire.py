"""What servers say, as the admin API shows it: what nobody said is absent, not zero."""

from controlplane.admin.signals.wire import leak_sentences, servers_views
from controlplane.manifest.load import load
from controlplane.manifest.schema import ServiceSpec
from controlplane.signals.book import MEMORY_EVERY_MS, Place, SignalBook
from controlplane.signals.signal import Signal
from tests.unit.controlplane.manifest.samples import SERVICE

(MANIFEST,) = load([("s.yaml", SERVICE)])
assert isinstance(MANIFEST.spec, ServiceSpec)
VERSIONS = MANIFEST.spec.versions


def test_a_version_shows_what_its_servers_said_and_nothing_else() -> None:
    book = SignalBook()
    book.follow([place := Place("chat", "v2", "a")])
    book.add(place, {Signal.QUEUE: 3.0}, 0)
    first, second = servers_views("chat", VERSIONS, book, 0)
    assert (first.version, list(first.endpoints), first.in_clear, first.sources) == ("v1", ["127.0.0.1:8001"], True, 0)
    assert (second.sources, second.answering, second.queue_depth) == (1, 1, 3.0)
    assert not second.HasField("kv_cache_used_ratio")
    assert not second.HasField("cpu_cores")


def test_a_leak_is_a_sentence() -> None:
    book = SignalBook()
    book.follow([place := Place("chat", "v2", "a")])
    for minute in range(60):
        book.add(place, {Signal.MEMORY: 1e9 + minute * 1024 * 1024}, minute * MEMORY_EVERY_MS)
    views = servers_views("chat", VERSIONS, book, 59 * MEMORY_EVERY_MS)
    assert leak_sentences(views) == ["the memory of a server of v2 grows by 120 MB an hour, and goes on: a leak?"]
