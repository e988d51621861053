"""An incremental client that comes back: `initial_resource_versions`, of the xDS protocol's "Incremental xDS"."""

from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    VIRTUAL_HOST,
    ResourceSet,
    opaque,
    resource,
)
from tests.unit.controlplane.xds.factory import DeltaClient, answers, delta_sends, sent_types, snapshot, told


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_a_client_that_brings_what_is_in_force_gets_nothing() -> None:
    """A control plane that restarts with the same content disturbs nobody."""
    target = snapshot(hosts={"chat": "a"})
    client = DeltaClient()
    effects = client.publish(target)
    for url, names in ((CLUSTER, ()), (LISTENER, ()), (ROUTE, ("services",)), (VIRTUAL_HOST, ())):
        effects += client.asks(url, *names, brought=target.incremental.of_type(url))
    assert sent_types(effects) == []
    assert {answer.type_url for answer in answers(effects)} == {CLUSTER, LISTENER, ROUTE, VIRTUAL_HOST}


def test_a_client_that_comes_back_gets_the_difference_with_what_is_gone() -> None:
    before, after = snapshot("a b", hosts={"chat": "a", "docs": "a"}), snapshot("a b", hosts={"chat": "b"})
    client = DeltaClient()
    client.publish(after)
    client.asks(CLUSTER, brought=before.of_type(CLUSTER))
    effects = client.asks(VIRTUAL_HOST, brought=before.incremental.of_type(VIRTUAL_HOST))
    assert told(effects) == [(VIRTUAL_HOST, only("services/chat"), ("services/docs",))]


def test_of_what_a_client_brings_only_that_counts_which_it_asks_for() -> None:
    client = DeltaClient()
    client.publish(snapshot(routes={"services": "a"}))
    brought = ResourceSet.of(resource(name, ROUTE, b"old") for name in ("services", "other"))
    client.asks(ROUTE, "services", brought=brought)
    assert client.holds(ROUTE) == only("services")


def test_a_version_that_nobody_remembers_is_replaced() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    old = ResourceSet.of((opaque("a", CLUSTER, "?"), opaque("z", CLUSTER, "?")))
    effects = client.asks(CLUSTER, brought=old)
    assert told(effects) == [(CLUSTER, only("a"), ())], "what it names is not known: nothing is taken from it yet"


def test_clusters_of_a_client_that_has_come_back_stay_until_its_routes_are_known() -> None:
    old = snapshot("a", hosts={"chat": "a"})
    client = DeltaClient()
    client.publish(snapshot("b", hosts={"chat": "b"}))
    (clusters,) = delta_sends(client.asks(CLUSTER, brought=old.of_type(CLUSTER)))
    assert told([clusters]) == [(CLUSTER, only("b"), ())]
    effects = client.asks(VIRTUAL_HOST, brought=old.incremental.of_type(VIRTUAL_HOST))
    assert delta_sends(effects) == []
    (hosts,) = delta_sends(client.acks(clusters))
    effects = client.acks(hosts)
    assert told(client.waits(effects)) == [(CLUSTER, only(), ("a",))]


def test_all_clusters_linger_when_routes_that_nobody_remembers_are_replaced() -> None:
    client = DeltaClient()
    client.publish(snapshot("b", hosts={"chat": "b"}))
    (clusters,) = delta_sends(client.asks(CLUSTER, brought=ResourceSet.of((opaque("z", CLUSTER, "?"),))))
    client.asks(VIRTUAL_HOST, brought=ResourceSet.of((opaque("services/chat", VIRTUAL_HOST, "?"),)))
    (hosts,) = delta_sends(client.acks(clusters))
    effects = client.acks(hosts)
    assert delta_sends(effects) == []
    assert told(client.waits(effects)) == [(CLUSTER, only(), ("z",))]


def test_endpoints_that_a_client_brings_are_sent_again_if_their_cluster_is_changing() -> None:
    """On a reconnect clusters may be asked for before their endpoints."""
    old, new = snapshot("a b", endpoints="a b"), snapshot({"a": "2", "b": "1"}, endpoints="a b")
    client = DeltaClient()
    client.publish(new)
    (clusters,) = delta_sends(client.asks(CLUSTER, brought=old.of_type(CLUSTER)))
    effects = client.asks(ENDPOINT, "a", "b", brought=old.of_type(ENDPOINT))
    assert told(effects) == [(ENDPOINT, only("a"), ())]
    assert sent_types(client.acks(clusters)) == []
