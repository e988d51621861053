"""Who a peer is, by what its certificate or token says. Pure.

A certificate of ours names its party in a URI SAN (SPIFFE ID, a path in the trust domain `serinus`):
`spiffe://serinus/ROLE` or `spiffe://serinus/ROLE/NAME`, where NAME is a person, or the id of a node. Of a name that is
given more must follow: a node's certificate is good for that node alone. What the CA signed without such a SAN is
nobody here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from controlplane.security.errors import NodeIdentityError

TRUST_DOMAIN = "spiffe://serinus/"
# What gRPC calls the SANs of a verified client certificate in `auth_context()`.
SAN_PROPERTY = "x509_subject_alternative_name"
CERT_PROPERTY = "x509_pem_cert"  # there whenever a client has shown one
# An actor stands in every record: a name, not a text.
ACTOR_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """`by` is how it is known: `certificate`, `token`, or `local` (a port in clear, where nobody shows anything).

    `name` is empty where many share it.
    """

    by: str
    role: str
    name: str = ""

    @property
    def described(self) -> str:
        """For an error: who this is."""
        if self.by == "certificate":
            return f"certificate {spiffe_id(self.role, self.name)}" if self.role else "a certificate without a role"
        return f"{self.by} {self.name}".rstrip()

    def actor(self, claimed: str) -> str:
        """Who stands in the record. What the caller says of itself counts only where nothing better is known."""
        said = " ".join(claimed.split())[:ACTOR_CHARS_MAX] or "unknown"
        if self.by == "local":
            return said
        return self.name or f"{said} ({self.described})"


LOCAL = Identity("local", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and from where, for the record. `claimed` is what it says of itself."""

    identity: Identity
    address: str
    claimed: str = ""

    @property
    def actor(self) -> str:
        return self.identity.actor(self.claimed)


def spiffe_id(role: str, name: str = "") -> str:
    """As it stands in a certificate."""
    return f"{TRUST_DOMAIN}{role}/{name}" if name else f"{TRUST_DOMAIN}{role}"


def certified(sans: Iterable[bytes]) -> tuple[Identity, ...]:
    """The parties that a certificate's SANs name, in their order; none for a certificate of another making."""
    found = []
    for san in sans:
        text = san.decode("utf-8", "replace")
        if text.startswith(TRUST_DOMAIN):
            role, _, name = text.removeprefix(TRUST_DOMAIN).partition("/")
            found.append(Identity("certificate", role, name))
    return tuple(found)


def sans_of(auth: Mapping[str, Sequence[bytes]]) -> tuple[bytes, ...] | None:
    """The SANs of gRPC's `auth_context()`; None for a connection in clear, where nobody can show one."""
    if auth.get("transport_security_type", [b"insecure"]) == [b"insecure"]:
        return None
    return tuple(auth.get(SAN_PROPERTY, ()))


def require_node(role: str, node_id: str, sans: Iterable[bytes] | None) -> None:
    """Raises NodeIdentityError unless a certificate with these SANs may speak for the node. None: no TLS, no proof.

    `spiffe://serinus/ROLE` without a name is good for every node: the one certificate of a laptop's CA.
    """
    if sans is None:
        return
    parties = certified(sans)
    if any(party.role == role and party.name in ("", node_id) for party in parties):
        return
    shown = ", ".join(spiffe_id(party.role, party.name) for party in parties) or "no name of ours"
    raise NodeIdentityError(
        f"node {node_id!r} comes with a certificate of another: {shown}",
        next_step=f"give it one with the SAN {spiffe_id(role, node_id)} "
        f"(`serinus certs issue {role} {node_id}` makes it), or correct its node id",
    )


def address_of(peer: str) -> str:
    """The host of gRPC's `context.peer()`: `ipv4:10.0.0.7:5123`, `ipv6:%5B::1%5D:5123`, `unix:…`."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind or "unknown"
    return unquote(rest).rpartition(":")[0].strip("[]")
