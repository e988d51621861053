"""Clusters, endpoints and secrets, each built when its own input changes."""

from dataclasses import replace

import pytest

from controlplane.manifest.version import Version
from controlplane.snapshot.errors import SecretFileError, SnapshotError
from controlplane.snapshot.model import ClusterInput
from controlplane.snapshot.upstreams import Upstreams, renew


def _input(name: str, endpoint: str = "127.0.0.1:1", **keys: object) -> ClusterInput:
    return ClusterInput("chat", Version.model_validate({"name": name, "endpoints": [endpoint], **keys}), streams=False)


def _token(name: str) -> ClusterInput:
    return _input(name, auth={"header": "authorization", "file": name})


def test_equal_inputs_give_the_same_sets() -> None:
    first = renew(Upstreams(), [_input("v1"), _input("v2")], {})
    again = renew(first, (_input("v1"), _input("v2")), {})
    assert (again.clusters, again.endpoints, again.secrets) == (first.clusters, first.endpoints, first.secrets)
    assert again.clusters is first.clusters
    assert again.endpoints is first.endpoints
    assert again.secrets is first.secrets


def test_one_changed_version_leaves_the_others_as_they_are() -> None:
    first = renew(Upstreams(), [_input("v1"), _input("v2")], {})
    second = renew(first, [_input("v1"), replace(_input("v2"), concurrent_max=3)], {})
    assert second.clusters.resources["chat/v1"] is first.clusters.resources["chat/v1"]
    assert second.clusters.resources["chat/v2"] != first.clusters.resources["chat/v2"]
    assert second.endpoints is first.endpoints


def test_a_changed_endpoint_is_no_changed_cluster() -> None:
    first = renew(Upstreams(), [_input("v1")], {})
    second = renew(first, [_input("v1", "127.0.0.1:2")], {})
    assert second.clusters is first.clusters
    assert second.endpoints != first.endpoints


def test_a_version_with_names_has_no_endpoints_of_its_own() -> None:
    made = renew(Upstreams(), [_input("v1", "model.example.com:1"), _input("v2")], {})
    assert made.clusters.names == {"chat/v1", "chat/v2"}
    assert made.endpoints.names == {"chat/v2"}


def test_what_went_is_forgotten() -> None:
    first = renew(Upstreams(), [_token("v1"), _token("v2")], {"v1": b"x", "v2": b"y"})
    second = renew(first, [_token("v1")], {"v1": b"x"})
    assert second.clusters.names == {"chat/v1"}
    assert (len(second.versions), len(second.known_secrets), len(second.secrets)) == (1, 1, 1)


def test_a_renewed_file_makes_its_secret_anew_and_no_other() -> None:
    first = renew(Upstreams(), [_token("v1"), _token("v2")], {"v1": b"one", "v2": b"y"})
    second = renew(first, [_token("v1"), _token("v2")], {"v1": b"two", "v2": b"y", "unused": b"z"})
    assert second.clusters is first.clusters
    assert [name for name, item in second.secrets.resources.items() if item is not first.secrets.resources[name]] == [
        name for name in first.secrets.resources if name.startswith("chat/v1")
    ]


def test_a_file_that_went_is_told() -> None:
    first = renew(Upstreams(), [_token("v1")], {"v1": b"one"})
    with pytest.raises(SecretFileError):
        renew(first, [_token("v1")], {})


def test_no_content_of_a_file_is_ever_shown() -> None:
    assert "hunter2" not in repr(renew(Upstreams(), [_token("v1")], {"v1": b"hunter2"}))


def test_two_versions_of_one_name_are_refused() -> None:
    with pytest.raises(SnapshotError, match="one name"):
        renew(Upstreams(), [_input("v1"), _input("v1", "127.0.0.1:2")], {})
