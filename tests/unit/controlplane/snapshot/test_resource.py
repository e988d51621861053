"""Versions are hashes of content, and sets share what they can."""

import subprocess
import sys

from controlplane.snapshot.assemble import build
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import CLUSTER, ROUTE, ResourceSet, content_hash, joined, resource
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.snapshot.factory import GOLD, STAFF, at, service

_A = resource("a", CLUSTER, b"body a")
_B = resource("b", CLUSTER, b"body b")

_PRINT = "from tests.unit.controlplane.snapshot import test_resource as t; print(t.build_some().version)"


def build_some() -> Snapshot:
    chat = at(service(cohorts=[STAFF, GOLD], sticky=[{"cookie": "session"}, {"header": "x-user-id"}]), 500)
    return build([chat, service("other", hosts=["a.example.com", "b.example.com"])], Gateway())


def test_a_version_is_16_hex_digits_of_the_content() -> None:
    version = content_hash((b"x",))
    assert len(version) == 16
    assert int(version, 16) >= 0


def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert content_hash((b"ab", b"c")) != content_hash((b"a", b"bc"))


def test_the_name_belongs_to_the_content() -> None:
    assert resource("a", CLUSTER, b"x").version != resource("b", CLUSTER, b"x").version


def test_a_set_has_one_version_in_any_order() -> None:
    assert ResourceSet.of((_A, _B)).version == ResourceSet.of((_B, _A)).version
    assert ResourceSet.of((_A, _B)) == ResourceSet.of((_B, _A))
    assert len({ResourceSet.of((_A, _B)), ResourceSet.of((_B, _A))}) == 1


def test_a_set_differs_when_a_member_changes_or_goes() -> None:
    both = ResourceSet.of((_A, _B))
    assert both != ResourceSet.of((_A,))
    assert both != ResourceSet.of((_A, resource("b", CLUSTER, b"changed")))
    assert both != "no set"


def test_a_subset_by_names_is_the_set_itself_when_it_is_all_of_it() -> None:
    both = ResourceSet.of((_A, _B))
    assert both.only(frozenset({"a", "b", "c"})) is both
    assert list(both.only(frozenset({"b", "c"}))) == [_B]


def test_over_keeps_its_own_of_two_and_adds_the_rest() -> None:
    changed = resource("b", CLUSTER, b"changed")
    assert dict(ResourceSet.of((changed,)).over(ResourceSet.of((_A, _B))).resources) == {"a": _A, "b": changed}
    mine = ResourceSet.of((_A, _B))
    assert mine.over(ResourceSet.of((changed,))) is mine


def test_a_set_knows_the_clusters_that_it_sends_traffic_to() -> None:
    routes = ResourceSet.of((resource("r", ROUTE, b"", ("a",)), resource("s", ROUTE, b"", ("a", "b"))))
    assert routes.clusters == {"a", "b"}
    assert "r" in routes
    assert len(routes) == 2


def test_another_process_with_another_hash_seed_gives_the_same_version() -> None:
    """xDS protocol: a version belongs to the type and survives streams; here it survives the process as well."""
    done = subprocess.run(
        [sys.executable, "-c", _PRINT],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ".:proto"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == build_some().version


def test_a_joined_body_is_made_when_it_is_asked_for_and_its_version_without_it() -> None:
    calls: list[int] = []

    def join() -> bytes:
        calls.append(1)
        return b"body"

    made = joined("n", ROUTE, join, (b"1", b"2"), frozenset({"c"}))
    assert (made.version, made.clusters) == (content_hash((b"n", b"1", b"2")), {"c"})
    assert calls == []
    assert made.body == b"body"


def test_a_set_that_holds_the_same_stays_the_object_that_it_is() -> None:
    """Streams compare by identity first."""
    one = ResourceSet.of((resource("a", CLUSTER, b"1"), resource("b", CLUSTER, b"2")))
    assert one.renewed({"b": resource("b", CLUSTER, b"2"), "a": resource("a", CLUSTER, b"1")}) is one
    assert one.renewed({"a": resource("a", CLUSTER, b"1")}).names == {"a"}
    assert one.renewed({"a": resource("a", CLUSTER, b"1"), "b": resource("b", CLUSTER, b"3")}) != one
