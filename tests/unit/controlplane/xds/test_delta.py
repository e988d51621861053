"""One incremental stream, rule by rule: requests, answers, names. Section names are those of the xDS protocol."""

import pytest

from controlplane.snapshot.resource import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    VIRTUAL_HOST,
    ResourceSet,
    opaque,
    resource,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.delta import advance
from controlplane.xds.delta_push import EMPTY_COLLECTION
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.errors import StreamError
from controlplane.xds.events import Accepted, DeltaRequest, DeltaSend, Ignored, Linger, Node, Opened, Rejected
from tests.unit.controlplane.xds.factory import NODE, DeltaClient, answers, delta_sends, sent_types, snapshot, told

_SOME = frozenset("ab")


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_nothing_is_sent_before_there_is_a_snapshot() -> None:
    """An empty config would delete every cluster that Envoy has."""
    client = DeltaClient()
    assert client.asks(CLUSTER) == [Opened(NODE)]
    assert sent_types(client.publish(snapshot())) == [CLUSTER]


def test_a_fresh_envoy_gets_everything_and_is_told_of_as_accepted() -> None:
    target = snapshot(endpoints="a", hosts={"chat": "a"})
    effects = DeltaClient().starts(target)
    types = [CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST]
    assert sent_types(effects) == types
    versions = target.incremental.versions
    assert answers(effects) == [Accepted(url, versions[url]) for url in types]


def test_a_response_tells_the_version_of_the_whole_type() -> None:
    """`system_version_info` is for people: it names the content that the type has in the snapshot."""
    client = DeltaClient()
    target = snapshot("a b")
    (send,) = delta_sends(client.publish(target) + client.asks(CLUSTER))
    assert send.version == target.versions[CLUSTER]


def test_an_ack_is_not_answered_and_the_same_content_is_not_sent_again() -> None:
    client = DeltaClient()
    client.starts(snapshot("a b"))
    assert client.publish(snapshot("a b")) == []
    (send,) = delta_sends(client.publish(snapshot("a b", listener="2")))
    assert delta_sends(client.acks(send)) == []


def test_only_what_changed_is_pushed() -> None:
    client = DeltaClient()
    client.starts(snapshot("a b", hosts={"chat": "a", "docs": "a"}))
    assert told(client.publish(snapshot("a b", hosts={"chat": "b", "docs": "a"}))) == [
        (VIRTUAL_HOST, only("services/chat"), ())
    ]


def test_what_is_gone_is_removed() -> None:
    """Incremental xDS: "removed_resources"."""
    client = DeltaClient()
    client.starts(snapshot(hosts={"chat": "a", "docs": "a"}))
    target = snapshot(hosts={"chat": "a"})
    effects = client.publish(target)
    assert told(effects) == [(VIRTUAL_HOST, only(), ("services/docs",))]
    assert answers(client.settle(effects)) == [Accepted(VIRTUAL_HOST, target.incremental.versions[VIRTUAL_HOST])]


def test_every_response_has_its_own_nonce() -> None:
    client = DeltaClient()
    effects = client.starts(snapshot()) + client.publish(snapshot(listener="2"))
    nonces = [send.nonce for send in delta_sends(effects)]
    assert len(set(nonces)) == len(nonces) == 4


def test_what_is_published_while_an_answer_is_awaited_is_merged() -> None:
    client = DeltaClient()
    client.publish(snapshot("a"))
    (first,) = delta_sends(client.asks(CLUSTER))
    assert client.publish(snapshot("a b")) == []
    assert client.publish(snapshot("a c")) == []
    assert told(client.acks(first)) == [(CLUSTER, only("c"), ())]


def test_a_stale_nonce_is_no_answer_but_its_names_count() -> None:
    """ "a stale nonce": the request "may still contain changes to the subscriptions", which are taken."""
    client = DeltaClient()
    client.starts(snapshot(routes={"services": "a", "more": "a"}))
    effects = client.asks(ROUTE, "more", nonce="stale")
    assert effects[0] == Ignored(ROUTE, "stale nonce")
    assert told(effects) == [(ROUTE, only("more"), ())]
    assert client.asks(ROUTE, drop=("more",), nonce="stale") == [Ignored(ROUTE, "stale nonce")]
    assert client.state.types[ROUTE].subscription.names == {"services"}


def test_an_answer_is_counted_once() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    (send,) = delta_sends(client.asks(CLUSTER))
    assert len(answers(client.acks(send))) == 1
    assert client.acks(send) == [Ignored(CLUSTER, "stale nonce")]
    assert client.nacks(send) == [Ignored(CLUSTER, "stale nonce")]


def test_a_nonce_of_an_earlier_stream_means_nothing() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    (send,) = delta_sends(client.asks(CLUSTER, nonce="from before"))
    assert answers(client.acks(send)) == [Accepted(CLUSTER, send.version)]


def test_a_name_that_does_not_exist_is_told_of_as_removed_remembered_and_sent_when_it_appears() -> None:
    client = DeltaClient()
    client.starts(snapshot())
    effects = client.asks(ROUTE, "later")
    assert told(effects) == [(ROUTE, only(), ("later",))]
    client.settle(effects)
    effects = client.publish(snapshot(routes={"services": "a", "later": "a"}))
    assert told(effects) == [(ROUTE, only("later"), ())]


def test_a_name_asked_for_again_is_sent_although_nothing_changed() -> None:
    """ "the server must send it … even if the client already has it", as it may have dropped it."""
    client = DeltaClient()
    client.starts(snapshot())
    assert told(client.asks(ROUTE, "services")) == [(ROUTE, only("services"), ())]


def test_a_name_asked_for_while_an_answer_is_awaited_is_answered_afterwards() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    (send,) = delta_sends(client.asks(CLUSTER))
    assert client.asks(CLUSTER, "a", "none") == []
    assert told(client.acks(send)) == [(CLUSTER, only("a"), ("none",))]


def test_a_name_that_is_dropped_is_sent_no_more_and_nothing_is_said_about_it() -> None:
    client = DeltaClient()
    client.starts(snapshot(routes={"services": "a", "more": "a"}))
    client.settle(client.asks(ROUTE, "more"))
    assert delta_sends(client.asks(ROUTE, drop=("more",))) == []
    assert delta_sends(client.publish(snapshot("a b", routes={"services": "a", "more": "b"}))) != []
    assert client.holds(ROUTE) == only("services")


def test_a_name_that_was_never_asked_for_may_be_dropped() -> None:
    client = DeltaClient()
    client.starts(snapshot())
    before = client.state
    assert client.asks(ROUTE, drop=("never",)) == []
    assert client.asks(CLUSTER, drop=("never",)) == []
    assert client.state == before


def test_a_name_dropped_beside_a_wildcard_is_answered_by_the_resource_or_its_removal() -> None:
    """ "If the client … unsubscribes from a resource that is still covered by a wildcard subscription, the server must
    send" it, or its removal: the client has dropped it from its cache."""
    client = DeltaClient()
    client.starts(snapshot("a b"))
    client.settle(client.asks(CLUSTER, "a", "none"))
    assert told(client.asks(CLUSTER, drop=("a", "none"))) == [(CLUSTER, only("a"), ("none",))]


def test_without_its_wildcard_a_client_keeps_its_names() -> None:
    client = DeltaClient()
    client.starts(snapshot("a b"))
    client.settle(client.asks(CLUSTER, "a"))
    assert delta_sends(client.asks(CLUSTER, drop=("*",))) == []
    assert client.holds(CLUSTER) == only("a")
    assert delta_sends(client.publish(snapshot({"a": "1", "b": "2"}))) == []


def test_who_wants_nothing_is_sent_nothing() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    assert delta_sends(client.asks(ROUTE)) == []
    assert client.publish(snapshot(routes="")) == []


def test_a_client_that_brings_what_is_in_force_gets_nothing() -> None:
    """ "initial_resource_versions": a control plane that restarts with the same content disturbs nobody."""
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


def test_an_empty_collection_of_virtual_hosts_is_answered_once() -> None:
    """Measured: Envoy 1.40 passes over a response that holds nothing, and its listener waits 15 s."""
    client = DeltaClient()
    client.publish(snapshot(hosts={}))
    effects = client.asks(VIRTUAL_HOST)
    assert told(effects) == [(VIRTUAL_HOST, only(), (EMPTY_COLLECTION,))]
    client.settle(effects)
    assert client.publish(snapshot(hosts={}, listener="2")) == []


def test_an_empty_type_is_answered_once_to_a_wildcard() -> None:
    """Envoy waits for its first clusters before it asks for listeners."""
    client = DeltaClient()
    client.publish(snapshot("", routes=""))
    effects = client.asks(CLUSTER)
    assert told(effects) == [(CLUSTER, only(), ())]
    assert sent_types(client.settle(effects)) == []


def test_virtual_hosts_may_be_asked_for_by_their_route_configuration() -> None:
    """VHDS: a name stands for all that are named `<it>/…`; the name of the collection itself cannot be missing."""
    client = DeltaClient()
    client.publish(snapshot(hosts={"chat": "a"}))
    client.settle(client.asks(CLUSTER))
    assert told(client.asks(VIRTUAL_HOST, "services")) == [(VIRTUAL_HOST, only("services/chat"), ())]
    assert client.asks(VIRTUAL_HOST, "elsewhere", nonce="0") == [Ignored(VIRTUAL_HOST, "stale nonce")]


def test_the_removal_of_a_virtual_host_that_never_was_is_no_answer_to_a_first_request_that_must_wait() -> None:
    """Its clusters still warm: an answer now would open the listener without the host."""
    client = DeltaClient()
    client.publish(snapshot(hosts={"chat": "a"}))
    assert delta_sends(client.asks(VIRTUAL_HOST)) == []
    clusters = client.asks(CLUSTER)
    assert sent_types(client.settle(clusters)) == [VIRTUAL_HOST]


def test_filter_configs_are_never_removed() -> None:
    """A listener that names one would fail; what nothing names costs nothing."""
    one, two = (resource(name, EXTENSION, b"1") for name in ("one", "two"))
    client = DeltaClient()
    client.publish(Snapshot({EXTENSION: ResourceSet.of((one, two))}))
    client.settle(client.asks(EXTENSION, "one", "two"))
    target = Snapshot({EXTENSION: ResourceSet.of((one,))})
    assert client.publish(target) == [Accepted(EXTENSION, target.versions[EXTENSION])]
    assert told(client.asks(EXTENSION, "two")) == [(EXTENSION, only("two"), ())], "it is what it runs"


def test_the_node_is_remembered_from_the_first_request() -> None:
    """ "Only the first request on a stream is guaranteed to carry the node identifier"."""
    client = DeltaClient()
    client.asks(CLUSTER)
    state, effects = advance(client.state, DeltaRequest(LISTENER, node=Node("other")))
    assert (state.node, effects) == (NODE, ())


def test_a_type_that_is_not_served_does_not_disturb_the_others() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    runtime = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
    assert client.asks(runtime, "layer")[-1] == Ignored(runtime, "unknown type")
    assert sent_types(client.asks(CLUSTER)) == [CLUSTER]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (DeltaRequest("", node=NODE), "type_url"),
        (DeltaRequest("type.googleapis.com/unknown", node=NODE), "none of xDS"),
        (DeltaRequest(CLUSTER), r"node\.id"),
    ],
)
def test_a_request_that_cannot_be_served_is_an_error_and_changes_nothing(request_: DeltaRequest, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        advance(DeltaState(), request_)


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
    """ "…and then stale CDS … can be removed". A request that waits in ext_proc has the routes of its start."""
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


def test_endpoints_are_sent_again_behind_each_change_of_their_cluster() -> None:
    """Resource warming. Measured: Envoy 1.40 asks for nothing then, and waits 15 s."""
    client = DeltaClient()
    client.starts(snapshot("a b", endpoints="a b"))
    effects = client.publish(snapshot({"a": "2", "b": "1"}, endpoints="a b"))
    assert told(effects) == [(CLUSTER, only("a"), ()), (ENDPOINT, only("a"), ())]


def test_endpoints_that_a_client_brings_are_sent_again_if_their_cluster_is_changing() -> None:
    """On a reconnect clusters may be asked for before their endpoints."""
    old, new = snapshot("a b", endpoints="a b"), snapshot({"a": "2", "b": "1"}, endpoints="a b")
    client = DeltaClient()
    client.publish(new)
    (clusters,) = delta_sends(client.asks(CLUSTER, brought=old.of_type(CLUSTER)))
    effects = client.asks(ENDPOINT, "a", "b", brought=old.of_type(ENDPOINT))
    assert told(effects) == [(ENDPOINT, only("a"), ())]
    assert sent_types(client.acks(clusters)) == []


def test_a_refusal_is_told_in_the_clients_words_with_the_version() -> None:
    client = DeltaClient()
    client.starts(snapshot())
    target = snapshot(listener="2")
    (send,) = delta_sends(client.publish(target))
    assert isinstance(send, DeltaSend)
    assert client.nacks(send, "no such filter") == [Rejected(LISTENER, target.versions[LISTENER], "no such filter")]
