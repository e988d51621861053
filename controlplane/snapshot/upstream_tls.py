"""A version's `tls` -> the transport socket of its cluster, and the secrets that it asks for.

Rules: certificates and keys are asked for by name (SDS over ADS), never part of a cluster; a server that is verified
is verified by name too, for a certificate of the right CA may be anybody's.
"""

import ipaddress
from collections.abc import Iterable

from controlplane.manifest.credential import UpstreamTls
from controlplane.manifest.version import HttpVersion, Version
from controlplane.snapshot.secret import CaSecret, CertificateSecret
from controlplane.snapshot.wire import packed, secret_of
from serinus.envoywire import core_pb2, tls_pb2

_CONTEXT = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"

# AUTO names none: Envoy then offers what the connection it opens will speak.
_ALPN = {HttpVersion.HTTP1: ("http/1.1",), HttpVersion.HTTP2: ("h2",), HttpVersion.AUTO: ()}


def transport_socket(cluster: str, version: Version, tls: UpstreamTls) -> core_pb2.TransportSocket:
    common = tls_pb2.CommonTlsContext(alpn_protocols=_ALPN[version.connection.protocol])
    for secret in tls_secrets(cluster, tls):
        if isinstance(secret, CertificateSecret):
            common.tls_certificate_sds_secret_configs.append(secret_of(secret.name))
        else:
            names = tls_pb2.CertificateValidationContext(match_typed_subject_alt_names=_subjects(version, tls))
            common.combined_validation_context.default_validation_context.CopyFrom(names)
            common.combined_validation_context.validation_context_sds_secret_config.CopyFrom(secret_of(secret.name))
    context = tls_pb2.UpstreamTlsContext(
        common_tls_context=common,
        sni=tls.server_name or "",
        # The endpoint's own name; an address has none, and none is sent.
        auto_host_sni=tls.server_name is None,
    )
    return core_pb2.TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context, _CONTEXT))


def tls_secrets(cluster: str, tls: UpstreamTls) -> tuple[CaSecret | CertificateSecret, ...]:
    """The secrets, named after the cluster: the same file in two versions is two secrets, which rotate together."""
    secrets: list[CaSecret | CertificateSecret] = []
    if tls.ca is not None:
        secrets.append(CaSecret(f"{cluster}/ca", tls.ca))
    if tls.cert is not None and tls.key is not None:
        secrets.append(CertificateSecret(f"{cluster}/certificate", tls.cert, tls.key))
    return tuple(secrets)


def _subjects(version: Version, tls: UpstreamTls) -> Iterable[tls_pb2.SubjectAltNameMatcher]:
    """Whom a server's certificate may be for: `names`, else `server_name`, else the endpoints' hosts."""
    hosts = sorted({endpoint.host for endpoint in version.servers})
    for name in tls.names or ((tls.server_name,) if tls.server_name is not None else hosts):
        kind, text = _subject(name)
        yield tls_pb2.SubjectAltNameMatcher(san_type=kind, matcher=core_pb2.StringMatcher(exact=text))


def _subject(name: str) -> tuple[tls_pb2.SubjectAltNameMatcher.SanType, str]:
    """Envoy compares addresses as text, in the short form of inet_ntop."""
    if "://" in name:
        return tls_pb2.SubjectAltNameMatcher.URI, name
    try:
        return tls_pb2.SubjectAltNameMatcher.IP_ADDRESS, str(ipaddress.ip_address(name))
    except ValueError:
        return tls_pb2.SubjectAltNameMatcher.DNS, name
