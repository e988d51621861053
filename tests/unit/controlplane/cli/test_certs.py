"""`serinus certs init`: complete directories, keys for the owner only, nothing overwritten by accident."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from controlplane.cli.certs import app

PARTIES = ["admin", "controlplane", "envoy", "operator", "sidecar", "viewer"]


def init(directory: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["init", "--dir", str(directory), *args])


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.glob("*/*"))}


def test_each_party_gets_a_complete_directory_and_the_ca_key_stays_apart(tmp_path: Path) -> None:
    assert init(tmp_path / "certs").exit_code == 0
    expected = {"trust/ca.pem", "ca/cert.pem", "ca/key.pem"}
    expected |= {f"{party}/{name}" for party in PARTIES for name in ("ca.pem", "cert.pem", "key.pem")}
    assert set(contents(tmp_path / "certs")) == expected


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    init(tmp_path / "certs")
    keys = list((tmp_path / "certs").glob("*/*key.pem"))
    assert len(keys) == len(PARTIES) + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_a_second_init_refuses_and_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path)
    before = contents(tmp_path)
    again = init(tmp_path)
    assert again.exit_code == 1
    assert again.stderr.startswith(f"error: {tmp_path}/admin/ca.pem exists; next: say --renew, or --force")
    assert contents(tmp_path) == before


def test_force_replaces_everything(tmp_path: Path) -> None:
    init(tmp_path)
    before = contents(tmp_path)
    assert init(tmp_path, "--force").exit_code == 0
    after = contents(tmp_path)
    assert set(after) == set(before)
    assert all(after[name] != before[name] for name in before)


def test_renew_keeps_what_is_good_and_makes_what_is_not_there(tmp_path: Path) -> None:
    assert init(tmp_path, "--renew", "--host", "controlplane").exit_code == 0
    before = contents(tmp_path)
    kept = init(tmp_path, "--renew", "--host", "controlplane")
    assert (kept.exit_code, "kept" in kept.stdout) == (0, True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("spoil", ["envoy/cert.pem", "sidecar/key.pem", "controlplane/ca.pem"])
def test_renew_replaces_an_incomplete_set(tmp_path: Path, spoil: str) -> None:
    init(tmp_path)
    before = contents(tmp_path)
    (tmp_path / spoil).unlink()
    assert init(tmp_path, "--renew").exit_code == 0
    after = contents(tmp_path)
    assert set(after) == set(before)
    assert after["trust/ca.pem"] != before["trust/ca.pem"]


def test_renew_replaces_a_set_that_ends_soon_or_lacks_a_host(tmp_path: Path) -> None:
    init(tmp_path, "--days", "20", "--host", "::0001")
    first = contents(tmp_path)
    assert init(tmp_path, "--days", "20", "--renew", "--host", "::1").exit_code == 0
    assert contents(tmp_path) == first, "20 days of 20 are left, and ::1 is served"
    assert init(tmp_path, "--days", "90", "--renew").exit_code == 0
    second = contents(tmp_path)
    assert second["trust/ca.pem"] != first["trust/ca.pem"], "20 days are less than a third of 90"
    assert init(tmp_path, "--renew", "--host", "new-name").exit_code == 0
    assert contents(tmp_path)["trust/ca.pem"] != second["trust/ca.pem"]


@pytest.mark.parametrize("host", ["", "a b", "https://x", "-x", "10.0.0.7/8", "a\nb"])
def test_a_host_that_is_none_is_a_usage_error(tmp_path: Path, host: str) -> None:
    answer = init(tmp_path / "certs", "--host", host)
    assert answer.exit_code == 2
    assert not (tmp_path / "certs").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = init(tmp_path / "file")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("error: ")
    assert "next: choose a --dir that you may write to" in answer.stderr


def issue(directory: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["issue", *args, "--dir", str(directory)])


def sans(path: Path) -> list[str]:
    cert = x509.load_pem_x509_certificate(path.read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def test_a_node_gets_a_certificate_of_its_own_by_the_same_ca(tmp_path: Path) -> None:
    init(tmp_path)
    for role, name in (("envoy", "edge-1"), ("sidecar", "edge-1"), ("operator", "ann")):
        assert issue(tmp_path, role, name).exit_code == 0
        assert sans(tmp_path / f"{role}-{name}/cert.pem") == [f"spiffe://serinus/{role}/{name}"]
        assert stat.S_IMODE((tmp_path / f"{role}-{name}/key.pem").stat().st_mode) == 0o600
    ca = x509.load_pem_x509_certificate((tmp_path / "trust/ca.pem").read_bytes())
    cert = x509.load_pem_x509_certificate((tmp_path / "envoy-edge-1/cert.pem").read_bytes())
    cert.verify_directly_issued_by(ca)
    assert cert.not_valid_after_utc <= ca.not_valid_after_utc


def test_a_new_ca_issues_the_certificates_of_nodes_anew(tmp_path: Path) -> None:
    init(tmp_path)
    issue(tmp_path, "envoy", "edge-1")
    init(tmp_path, "--force")
    ca = x509.load_pem_x509_certificate((tmp_path / "trust/ca.pem").read_bytes())
    x509.load_pem_x509_certificate((tmp_path / "envoy-edge-1/cert.pem").read_bytes()).verify_directly_issued_by(ca)
    assert sans(tmp_path / "envoy-edge-1/cert.pem") == ["spiffe://serinus/envoy/edge-1"]


def test_issue_refuses_what_it_cannot_make_and_says_what_to_do(tmp_path: Path) -> None:
    assert "serinus certs init --dir" in issue(tmp_path, "envoy", "edge-1").stderr
    init(tmp_path)
    issue(tmp_path, "envoy", "edge-1")
    for args, said in (
        (("king", "ann"), "no role 'king'"),
        (("envoy", "../x"), "is no name of a node or person"),
        (("envoy", "edge-1"), "exists; next: say --force"),
    ):
        result = issue(tmp_path, *args)
        assert (result.exit_code, said in result.stderr) == (1, True)
    (tmp_path / "ca/key.pem").write_text("nothing")
    assert "holds no CA that could sign" in issue(tmp_path, "envoy", "edge-2").stderr
