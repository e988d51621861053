"""A version's `health` -> Envoy's active health check."""

from controlplane.manifest.version import HttpVersion, Version
from controlplane.snapshot.wire import milliseconds, number
from serinus.envoywire import core_pb2


def health_check(version: Version) -> core_pb2.HealthCheck:
    """Envoy probes a new host at once (no initial jitter) and a cluster is warm after its first round of probes.

    `no_traffic_interval` is 60 s by default: a candidate at weight 0 would be seen dying a minute late. A host that
    answers with something outside of 200 is out at once, whatever `unhealthy_after` says.
    """
    health = version.health
    check = core_pb2.HealthCheck(
        timeout=milliseconds(health.timeout_ms),
        interval=milliseconds(health.interval_ms),
        no_traffic_interval=milliseconds(health.interval_ms),
        no_traffic_healthy_interval=milliseconds(health.interval_ms),
        unhealthy_threshold=number(health.unhealthy_after),
        healthy_threshold=number(health.healthy_after),
    )
    # The check's own codec: HTTP/1.1 unless told, even where the cluster speaks HTTP/2.
    is_http2 = version.connection.protocol is HttpVersion.HTTP2
    if health.grpc:
        check.grpc_health_check.SetInParent()
    elif health.path is not None:
        check.http_health_check.path = health.path
        check.http_health_check.codec_client_type = core_pb2.HTTP2 if is_http2 else core_pb2.HTTP1
    else:
        check.tcp_health_check.SetInParent()
    if version.tls is not None and (health.grpc or health.path is not None):
        check.tls_options.alpn_protocols.append("h2" if is_http2 or health.grpc else "http/1.1")
    return check
