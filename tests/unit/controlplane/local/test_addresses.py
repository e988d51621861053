import socket

import pytest

from controlplane.local.addresses import free_addresses, require_free
from controlplane.local.errors import AddressTakenError


def test_free_addresses_are_distinct_and_can_be_bound() -> None:
    addresses = free_addresses(6)
    assert len(set(addresses)) == 6
    require_free({f"--{n}": address for n, address in enumerate(addresses)})


def test_a_taken_port_is_named_by_flag_and_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressTakenError) as caught:
            require_free({"--xds": address})
    assert str(caught.value) == (
        f"--xds {address} cannot be bound: Address already in use; next: stop what listens there, or give another --xds"
    )


def test_one_address_for_two_flags_is_refused() -> None:
    (address,) = free_addresses(1)
    with pytest.raises(AddressTakenError, match="--admin and --xds are both"):
        require_free({"--admin": address, "--xds": address})


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(AddressTakenError, match=r"--http 192\.0\.2\.1:7402 cannot be bound"):
        require_free({"--http": "192.0.2.1:7402"})  # TEST-NET-1 (RFC 5737): nobody's
