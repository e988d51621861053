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
    resource,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.delta import advance
from controlplane.xds.delta_push import EMPTY_COLLECTION
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.errors import StreamError
from controlplane.xds.events import Accepted, DeltaRequest, DeltaSend, Ignored, Node, Opened, Rejected
from tests.unit.controlplane.xds.factory import NODE, DeltaClient, answers, delta_sends, sent_types, snapshot, told


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
    """Incremental xDS: "the server must honor changes to the subscription state even if the nonce is stale." """
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
    """Subscribing to Resources: "the server *must* still provide those resources in the response"; "the client may
    have "forgotten" those resources despite apparently remaining subscribed"."""
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
    """Unsubscribing from Resources: "the server must send a response that includes the specific resource in either
    the removed_resources field … or in the resources field"."""
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
    """ "Only the first request on a stream is guaranteed to carry the node identifier." """
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


def test_a_refusal_is_told_in_the_clients_words_with_the_version() -> None:
    client = DeltaClient()
    client.starts(snapshot())
    target = snapshot(listener="2")
    (send,) = delta_sends(client.publish(target))
    assert isinstance(send, DeltaSend)
    assert client.nacks(send, "no such filter") == [Rejected(LISTENER, target.versions[LISTENER], "no such filter")]
