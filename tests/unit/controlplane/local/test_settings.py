import socket
from pathlib import Path

import pytest

from controlplane.errors import SerinusError
from controlplane.local.errors import AddressTakenError
from controlplane.local.settings import StackSettings


def test_ephemeral_settings_have_six_addresses_of_their_own_that_are_free(tmp_path: Path) -> None:
    settings = StackSettings.ephemeral(tmp_path, node_id="edge", listen="127.0.0.1:1")
    assert len(set(settings.addresses.values())) == 6
    assert (settings.node_id, settings.listen, settings.state_dir) == ("edge", "127.0.0.1:1", tmp_path)
    StackSettings.ephemeral(tmp_path).check()


def test_the_documented_defaults() -> None:
    assert StackSettings(Path("s")).addresses == {
        "--listen": "127.0.0.1:8080",
        "--admin": "127.0.0.1:7400",
        "--xds": "127.0.0.1:7401",
        "--http": "127.0.0.1:7402",
        "--sidecar-http": "127.0.0.1:7412",
        "--envoy-admin": "127.0.0.1:7420",
    }


def test_a_taken_address_is_named_by_its_flag(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressTakenError, match=f"--sidecar-http {address} cannot be bound"):
            StackSettings.ephemeral(tmp_path, sidecar_http=address).check()


def test_beyond_loopback_needs_the_word_insecure_and_envoys_admin_address_never_gets_it(tmp_path: Path) -> None:
    (address,) = (a.replace("127.0.0.1", "0.0.0.0") for a in [StackSettings.ephemeral(tmp_path).listen])
    with pytest.raises(SerinusError, match=r"--listen .* listens beyond loopback"):
        StackSettings.ephemeral(tmp_path, listen=address).check()
    StackSettings.ephemeral(tmp_path, listen=address, insecure=True).check()
    with pytest.raises(SerinusError, match=r"--envoy-admin .* listens beyond loopback"):
        StackSettings.ephemeral(tmp_path, envoy_admin=address, insecure=True).check()
