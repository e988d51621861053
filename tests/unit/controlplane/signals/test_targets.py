"""Which servers are read, from manifests."""

from controlplane.manifest.load import load
from controlplane.manifest.schema import ServiceSpec
from controlplane.signals.book import Place
from controlplane.signals.targets import SOURCES_MAX, SOURCES_PER_VERSION_MAX, Target, targets_of
from tests.unit.controlplane.manifest.samples import SERVICE


def service(endpoints: str, metrics: str) -> ServiceSpec:
    text = f"  versions:\n    - {{name: v1, endpoints: [{endpoints}]{metrics}}}\n"
    (manifest,) = load([("s.yaml", SERVICE[: SERVICE.index("  versions:")] + text + "  baseline: v1\n")])
    assert isinstance(manifest.spec, ServiceSpec)
    return manifest.spec


def test_nothing_is_read_that_no_manifest_asks_for() -> None:
    assert targets_of({"chat": service('"127.0.0.1:8001"', "")}) == ()


def test_a_version_that_asks_is_read_at_each_endpoint() -> None:
    found = targets_of({"chat": service('"127.0.0.1:8001", "[::1]:8002", "10.0.0.1:8003"', ", metrics: {}")})
    assert [(target.url, target.port) for target in found] == [
        ("http://127.0.0.1:8001/metrics", 8001),
        ("http://[::1]:8002/metrics", 8002),
        ("http://10.0.0.1:8003/metrics", None),
    ]


def test_path_port_labels_and_exporters_are_the_manifests() -> None:
    metrics = ', metrics: {path: /m, port: 8002, labels: {model: a}, urls: ["http://10.0.0.1:9400/metrics"]}'
    found = targets_of({"chat": service('"10.0.0.1:8000"', metrics)})
    labels = {"model": "a"}
    url = "http://10.0.0.1:9400/metrics"
    assert found == (
        Target(Place("chat", "v1", url), url, None, labels),
        Target(Place("chat", "v1", "10.0.0.1:8000"), "http://10.0.0.1:8002/m", None, labels),
    )


def test_the_process_alone_may_be_looked_at_or_not_at_all() -> None:
    (only,) = targets_of({"chat": service('"127.0.0.1:8001"', ", metrics: {scrape: false}")})
    assert (only.url, only.port) == ("", 8001)
    assert targets_of({"chat": service('"models.internal:8001"', ", metrics: {scrape: false}")}) == ()
    (never,) = targets_of({"chat": service('"127.0.0.1:8001"', ", metrics: {process: false}")})
    assert never.port is None


def test_there_are_never_more_than_the_bounds_and_running_rollouts_go_first() -> None:
    many = ", ".join(f'"10.0.0.1:{8000 + index}"' for index in range(30))
    spec = service(many, ", metrics: {}")
    found = targets_of({f"s{index:02}": spec for index in range(40)}, first=["s39"])
    assert len(found) == SOURCES_MAX
    assert {target.place.service for target in found[:SOURCES_PER_VERSION_MAX]} == {"s39"}
    assert found[SOURCES_PER_VERSION_MAX].place.service == "s00"
