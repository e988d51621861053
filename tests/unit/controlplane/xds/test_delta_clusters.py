"""How an incremental stream keeps routes, clusters and endpoints together: make before break for one proxy.

Section of the xDS protocol: "Eventual consistency considerations", "Resource warming".
"""

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST
from controlplane.xds.events import Accepted, Linger
from tests.unit.controlplane.xds.factory import DeltaClient, answers, delta_sends, sent_types, snapshot, told


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_routes_wait_each_for_its_own_clusters() -> None:
    """Routes are not warmed: one that came while its cluster still warms would answer 503. No other waits for it."""
    client = DeltaClient()
    client.starts(snapshot("a", hosts={"chat": "a", "docs": "a"}))
    effects = client.publish(snapshot({"a": "1", "b": "1"}, hosts={"chat": "b", "docs": "a", "new": "a"}))
    assert told(effects) == [(CLUSTER, only("b"), ()), (VIRTUAL_HOST, only("services/new"), ())]
    clusters, hosts = delta_sends(effects)
    assert sent_types(client.acks(clusters)) == [], "one response of a type at a time"
    assert told(client.acks(hosts)) == [(VIRTUAL_HOST, only("services/chat"), ())]


def test_a_route_is_not_sent_to_a_cluster_that_is_about_to_go() -> None:
    client = DeltaClient()
    client.starts(snapshot("a b", routes="a"))
    (removal,) = delta_sends(client.publish(snapshot("a", routes="a")))
    assert client.publish(snapshot("a b", routes="b")) == []
    (clusters,) = delta_sends(client.acks(removal))
    assert told([clusters]) == [(CLUSTER, only("b"), ())]
    assert sent_types(client.acks(clusters)) == [ROUTE]


def test_a_client_that_never_asks_for_clusters_gets_no_routes() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    assert sent_types(client.asks(ROUTE, "services")) == []


def test_a_cluster_goes_only_after_the_route_that_named_it_and_a_while() -> None:
    """ "Stale CDS clusters … (ones no longer being referenced) can then be removed." A request that waits in
    ext_proc has the routes of its start."""
    client = DeltaClient()
    client.starts(snapshot("a", hosts={"chat": "a"}))
    target = snapshot("b", hosts={"chat": "b"})
    (clusters,) = delta_sends(client.publish(target))
    assert told([clusters]) == [(CLUSTER, only("b"), ())]
    accepted = client.acks(clusters)
    assert answers(accepted) == [Accepted(CLUSTER, target.versions[CLUSTER])], "it has all that it is to have"
    (hosts,) = delta_sends(accepted)
    effects = client.acks(hosts)
    assert Linger(1) in effects
    assert delta_sends(effects) == []
    assert told(client.waits(effects)) == [(CLUSTER, only(), ("a",))]


def test_a_cluster_whose_route_comes_back_meanwhile_stays() -> None:
    client = DeltaClient()
    client.starts(snapshot("a b", hosts={"chat": "a b"}))
    effects = client.publish(snapshot("b", hosts={"chat": "b"}))
    effects += client.settle(effects)
    client.settle(client.publish(snapshot("a b", hosts={"chat": "a b"})))
    assert delta_sends(client.waits(effects)) == []


def test_a_cluster_that_is_kept_is_not_reported_as_missing() -> None:
    """A client that asks for it by name is told what it runs, not that it is gone: its routes still need it."""
    client = DeltaClient()
    client.starts(snapshot("a", routes="a"))
    (clusters,) = delta_sends(client.publish(snapshot("b", routes="b")))
    assert client.asks(CLUSTER, "a") == []
    effects = client.acks(clusters)
    assert (CLUSTER, only("a"), ()) in told(effects)


def test_endpoints_are_sent_again_behind_each_change_of_their_cluster() -> None:
    """Resource warming. Measured: Envoy 1.40 asks for nothing then, and waits 15 s."""
    client = DeltaClient()
    client.starts(snapshot("a b", endpoints="a b"))
    effects = client.publish(snapshot({"a": "2", "b": "1"}, endpoints="a b"))
    assert told(effects) == [(CLUSTER, only("a"), ()), (ENDPOINT, only("a"), ())]
