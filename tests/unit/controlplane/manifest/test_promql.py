"""What a rollout may ask of a Prometheus before it goes on."""

import pytest

from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.manifest.promql import PromQuery
from controlplane.manifest.schema import RolloutSpec
from tests.unit.controlplane.manifest.samples import ROLLOUT

ASK = "name: orders, url: 'http://127.0.0.1:9090/', query: 'sum(rate(orders_failed_total[1m]))'"


def queries_of(*texts: str) -> tuple[PromQuery, ...]:
    (manifest,) = load([("r.yaml", f"{ROLLOUT}  promql: [{', '.join(f'{{{text}}}' for text in texts)}]\n")])
    assert isinstance(manifest.spec, RolloutSpec)
    return manifest.spec.promql


def test_a_query_has_a_limit_and_a_pace() -> None:
    (query,) = queries_of(f"{ASK}, max: 0.5, every: 10s, auth: {{file: prom.token}}")
    assert (query.url, query.max, query.min, query.every_ms) == ("http://127.0.0.1:9090", 0.5, None, 10_000)
    (query,) = queries_of(f"{ASK}, min: -1")
    assert (query.min, query.every_ms) == (-1.0, 30_000)


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        ((ASK,), "holds by `max` or `min`"),
        ((f"{ASK}, max: 1, min: 2",), "`min` is above `max`"),
        ((f"{ASK}, max: 5%",), "is no number as PromQL answers them"),
        ((f"{ASK}, max: .nan",), "is no number as PromQL answers them"),
        ((f"{ASK}, max: 1, every: 500ms",), "`every` is 1s to 10m"),
        ((f"{ASK}, max: 1", f"{ASK}, max: 2"), "a name may stand in promql once"),
        ((ASK.replace("http://", "ftp://") + ", max: 1",), "is not a URL"),
        ((ASK.replace("9090/", "9090/?a=b") + ", max: 1",), "has a query"),
        (("name: a, url: 'http://a/', query: '', max: 1",), "at least 1"),
    ],
)
def test_a_query_that_could_not_hold_as_meant_is_refused(texts: tuple[str, ...], part: str) -> None:
    with pytest.raises(ManifestError) as found:
        queries_of(*texts)
    assert part in str(found.value)
