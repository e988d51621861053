import json
import re

import pytest

from extproc.proxystats.parse import STATS_FILTER, BadStatsError, Cluster, ProxyStats, parse

NAMES = {
    "access_logs.grpc_access_log.logs_written": 21,
    "access_logs.grpc_access_log.logs_dropped": 4,
    "http.serinus.ext_proc.tag.failure_mode_allowed": 3,
    "http.serinus.ext_proc.tag.stream_msgs_received": 18,
    "cluster.chat/v1.membership_total": 2,
    "cluster.chat/v1.membership_healthy": 1,
    "server.uptime": 40,
}


def body(values: dict[str, object], *more: object) -> bytes:
    return json.dumps(
        {"stats": [{"name": name, "value": value} for name, value in values.items()] + list(more)}
    ).encode()


def test_the_counters_that_only_envoy_knows() -> None:
    assert parse(body({**NAMES}, {"histograms": {}})) == ProxyStats(
        answered=18, untagged=3, logs_written=25, uptime_s=40, clusters=(Cluster("chat/v1", 2, 1),)
    )


def test_a_counter_that_is_not_there_yet_is_zero() -> None:
    assert parse(body({})) == ProxyStats(0, 0, 0, 0, ())


def test_other_clusters_are_not_versions() -> None:
    assert parse(body({"cluster.sidecar.membership_total": 1, "cluster.a/b.upstream_rq_total": 1})).clusters == ()


def test_the_filter_lets_just_these_through() -> None:
    assert all(re.search(STATS_FILTER, name) for name in NAMES)
    assert not re.search(STATS_FILTER, "http.serinus.ext_proc.observe.failure_mode_allowed")
    assert not re.search(STATS_FILTER, "cluster.sidecar.membership_total")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"stats": 3}', b'{"stats": [{"name": "server.uptime", "value": "x"}]}']
)
def test_another_answer_is_an_error(text: bytes) -> None:
    with pytest.raises(BadStatsError):
        parse(text)
