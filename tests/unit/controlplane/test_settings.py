"""What a control plane is told: faults are told at once, with the flag."""

from pathlib import Path

import pytest

from controlplane.settings import ControlPlaneSettings, SettingsError, tls_files

STATE = Path("/var/lib/serinus")


def test_secrets_lie_in_the_state_unless_told_otherwise() -> None:
    assert ControlPlaneSettings(STATE).secrets == STATE / "secrets"
    assert ControlPlaneSettings(STATE, secrets_dir=Path("/etc/keys")).secrets == Path("/etc/keys")


@pytest.mark.parametrize("seconds", [0, 0.9, 3601, float("nan"), float("inf")])
def test_a_proxy_has_between_a_second_and_an_hour(seconds: float) -> None:
    with pytest.raises(SettingsError, match=r"--proxy-timeout .* is not between 1 and 3600 seconds; next: .* 30"):
        ControlPlaneSettings(STATE, proxy_timeout_s=seconds)


def test_tls_takes_all_three_files_or_none() -> None:
    assert tls_files(None, None, None) is None
    with pytest.raises(SettingsError, match="--tls-ca, --tls-cert and --tls-key belong together"):
        tls_files(STATE, None, STATE)


def test_a_store_is_postgresql_or_left_out_and_is_never_printed() -> None:
    settings = ControlPlaneSettings(Path("s"), store="postgresql://ada:hunter2@db/serinus")
    assert "hunter2" not in repr(settings)
    with pytest.raises(SettingsError, match="--store is no address of a PostgreSQL database") as refused:
        ControlPlaneSettings(Path("s"), store="mysql://ada:hunter2@db/serinus")
    assert "hunter2" not in str(refused.value)
