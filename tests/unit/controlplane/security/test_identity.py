"""Who a peer is, by its certificate; which node it may speak for; what stands in the record."""

import pytest

from controlplane.security.errors import NodeIdentityError
from controlplane.security.identity import LOCAL, Caller, Identity, address_of, certified, require_node


def test_a_certificate_names_a_role_and_perhaps_a_person_or_node() -> None:
    sans = (b"localhost", b"spiffe://serinus/operator/ann", b"spiffe://serinus/viewer", b"spiffe://other/admin")
    assert certified(sans) == (Identity("certificate", "operator", "ann"), Identity("certificate", "viewer"))


@pytest.mark.parametrize(
    "sans",
    [None, (b"spiffe://serinus/envoy",), (b"spiffe://serinus/envoy/edge-1",), (b"x", b"spiffe://serinus/envoy/edge-1")],
)
def test_a_node_is_believed_by_its_own_certificate_or_by_one_for_all(sans: tuple[bytes, ...] | None) -> None:
    require_node("envoy", "edge-1", sans)


@pytest.mark.parametrize(
    "sans",
    [
        (),
        (b"spiffe://serinus/envoy/edge-2",),
        (b"spiffe://serinus/envoy/edge-10",),
        (b"spiffe://serinus/sidecar/edge-1",),
        (b"spiffe://serinus/sidecar",),
        (b"spiffe://serinus/operator",),
        (b"spiffe://serinus.example/envoy/edge-1",),
        (b"edge-1",),
        (b"\xff",),
    ],
)
def test_a_node_with_the_certificate_of_another_is_refused(sans: tuple[bytes, ...]) -> None:
    with pytest.raises(NodeIdentityError, match="next: give it one with the SAN spiffe://serinus/envoy/edge-1"):
        require_node("envoy", "edge-1", sans)


def test_what_a_caller_says_of_itself_counts_only_where_nothing_better_is_known() -> None:
    assert LOCAL.actor("  ann\n") == "ann"
    assert LOCAL.actor("") == "unknown"
    assert Identity("token", "operator", "ci").actor("the boss") == "ci"
    assert Identity("certificate", "operator", "ann").actor("the boss") == "ann"
    shared = Caller(Identity("certificate", "operator"), "10.0.0.7", "ann")
    assert shared.actor == "ann (certificate spiffe://serinus/operator)"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:5123", "10.0.0.7"),
        ("ipv6:%5B::1%5D:5123", "::1"),
        ("ipv6:[::1]:5123", "::1"),
        ("unix:/run/x", "unix"),
        ("", "unknown"),
    ],
)
def test_an_address_is_the_peer_without_its_port(peer: str, address: str) -> None:
    assert address_of(peer) == address
