"""One version of a service: where its servers are, and how the proxies talk to them, watch them and limit them.

A default that Envoy does not have stands here with its reason: a manifest shows what is in force.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from controlplane.manifest.credential import UpstreamAuth, UpstreamTls
from controlplane.manifest.endpoint import Endpoint, Endpoints, Locality, check_localities
from controlplane.manifest.field import Name, PercentBp, Spec, TimerMs, as_tuple, choice
from controlplane.manifest.server_logs import ServerLogs
from controlplane.manifest.server_metrics import ServerMetrics

# Loopback and data-centre handshakes take milliseconds; a host that needs 2 s to accept is as good as away.
CONNECT_TIMEOUT_MS = 2_000
# llama-server closes a kept-alive connection after 5 s idle or 100 requests: stay below both, so that no request is
# sent into a connection that is just closing.
IDLE_TIMEOUT_MS = 4_000
REQUESTS_PER_CONNECTION_MAX = 90
# It also closes after every *streamed* answer, 0.1 ms after its end and unannounced: 4 of 586 requests that reused the
# connection at once got a 503 (and may not be retried: they were sent). A connect costs 0.1 ms where a generation
# takes seconds, so a version that streams gets a connection a request.
REQUESTS_PER_STREAMING_CONNECTION_MAX = 1

_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Health(Spec):
    """Active health check. Without `path` (or without `health` at all) a TCP connect is the check.

    `grpc`: the servers answer grpc.health.v1. A server leaves after `unhealthy_after` failed checks in a row and comes
    back after `healthy_after` good ones: one lost probe is no outage, and a server that answers once may serve.
    """

    path: Annotated[str, Field(pattern=r"^/[!-~]*$")] | None = None
    interval_ms: TimerMs = Field(default=2000, alias="interval")
    timeout_ms: TimerMs = Field(default=1000, alias="timeout")
    unhealthy_after: Annotated[int, Field(ge=1, le=100)] = 2
    healthy_after: Annotated[int, Field(ge=1, le=100)] = 1
    grpc: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> "Health":
        if self.grpc and self.path is not None:
            raise ValueError("a gRPC health check takes no `path`; next: leave out one of grpc, path")
        return self


class Outlier(Spec):
    """Servers that answer `consecutive_5xx` requests in a row with 5xx (or not at all) leave for `ejection`, longer
    each time. At most `max_ejected` of them are out at once."""

    consecutive_5xx: _Count = 5
    interval_ms: TimerMs = Field(default=10_000, alias="interval")
    ejection_ms: TimerMs = Field(default=30_000, alias="ejection")
    max_ejected_bp: PercentBp = Field(default=5_000, alias="max_ejected")

    @model_validator(mode="after")
    def _whole_percent(self) -> "Outlier":
        if self.max_ejected_bp % 100 or not self.max_ejected_bp:
            raise ValueError("max_ejected is a whole number of percent above 0%, for example 50%")
        return self


class HttpVersion(StrEnum):
    """What the servers speak. AUTO: what the client spoke to the proxy."""

    HTTP1 = "http/1.1"
    HTTP2 = "http/2"
    AUTO = "auto"


class Connection(Spec):
    """`requests_max` None: see `Version.requests_max`."""

    protocol: Annotated[HttpVersion, BeforeValidator(lambda v: choice(HttpVersion, v))] = HttpVersion.HTTP1
    connect_timeout_ms: TimerMs = Field(default=CONNECT_TIMEOUT_MS, alias="connect_timeout")
    idle_timeout_ms: TimerMs = Field(default=IDLE_TIMEOUT_MS, alias="idle_timeout")
    requests_max: _Count | None = None


class DnsFamily(StrEnum):
    V4 = "v4"
    V6 = "v6"
    AUTO = "auto"
    V4_PREFERRED = "v4-preferred"


class Dns(Spec):
    """How names are resolved. AUTO prefers IPv6, and `localhost` then misses a server on 127.0.0.1.

    `refresh` 5 s is Envoy's own default.
    """

    refresh_ms: TimerMs = Field(default=5_000, alias="refresh")
    family: Annotated[DnsFamily, BeforeValidator(lambda v: choice(DnsFamily, v))] = DnsFamily.V4_PREFERRED


class Version(Spec):
    """`endpoints` or `localities`, never both; `places` gives either in one form."""

    name: Name
    endpoints: Endpoints = ()
    localities: Annotated[tuple[Locality, ...], BeforeValidator(as_tuple), Field(max_length=100)] = ()
    health: Health = Health()
    outlier: Outlier | None = None
    connection: Connection = Connection()
    tls: UpstreamTls | None = None
    auth: UpstreamAuth | None = None
    dns: Dns | None = None
    slow_start_ms: TimerMs | None = Field(default=None, alias="slow_start")
    # None: its servers are not asked what they say of themselves.
    metrics: ServerMetrics | None = None
    # None: their logs are not followed.
    logs: ServerLogs | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> "Version":
        if bool(self.endpoints) == bool(self.localities):
            raise ValueError("a version needs exactly one of endpoints, localities")
        if self.localities:
            check_localities(self.localities)
        if self.dns is not None and not self.is_named:
            raise ValueError("`dns` is for endpoints that are names, and these are all addresses; next: leave it out")
        if self.health.grpc and self.connection.protocol is HttpVersion.HTTP1:
            raise ValueError("a gRPC health check needs connection: {protocol: http/2}")
        if self.metrics is not None and self.metrics.scrape and self.tls is not None and self.metrics.port is None:
            raise ValueError(
                "metrics are read in clear text; next: give the `port` of one without TLS, or `urls` alone"
            )
        return self

    @property
    def places(self) -> tuple[Locality, ...]:
        """The localities; for plain `endpoints` a single one without name and weight."""
        return self.localities or (Locality.model_construct(zone="", endpoints=self.endpoints),)

    @property
    def servers(self) -> tuple[Endpoint, ...]:
        """Every endpoint, wherever it stands."""
        return tuple(endpoint for place in self.places for endpoint in place.endpoints)

    @property
    def is_named(self) -> bool:
        """At least one endpoint is a DNS name, so the proxies resolve them."""
        return any(endpoint.is_named for endpoint in self.servers)

    def requests_max(self, *, streams: bool) -> int | None:
        """Requests per connection. None: no limit, the default of HTTP/2, whose servers announce that they close.

        `streams`: the servers stream their answers (protocol openai).
        """
        if self.connection.requests_max is not None or self.connection.protocol is HttpVersion.HTTP2:
            return self.connection.requests_max
        return REQUESTS_PER_STREAMING_CONNECTION_MAX if streams else REQUESTS_PER_CONNECTION_MAX

    @property
    def files(self) -> frozenset[str]:
        """The files of the secrets directory that it names."""
        auth = {self.auth.file} if self.auth is not None else set()
        return frozenset(self.tls.files if self.tls is not None else ()) | auth
