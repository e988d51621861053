"""One stream, rule by rule. Section names are those of the xDS protocol."""

import pytest

from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.xds.errors import StreamError
from controlplane.xds.events import Accepted, Ignored, Linger, Node, Opened, Rejected, Request
from controlplane.xds.node import NACK_MESSAGE_CHARS_MAX, NODE_ID_BYTES_MAX
from controlplane.xds.stream import advance
from controlplane.xds.stream_state import StreamState
from tests.unit.controlplane.xds.factory import NODE, Client, answers, sends, sent_types, snapshot


def test_nothing_is_sent_before_there_is_a_snapshot() -> None:
    """An empty config would delete every cluster that Envoy has."""
    client = Client()
    assert client.asks(CLUSTER) == [Opened(NODE)]
    assert sent_types(client.publish(snapshot())) == [CLUSTER]


def test_a_fresh_envoy_gets_everything_and_is_told_of_as_accepted() -> None:
    target = snapshot()
    effects = Client().starts(target)
    assert sent_types(effects) == [CLUSTER, LISTENER, ROUTE]
    assert answers(effects) == [Accepted(url, target.versions[url]) for url in (CLUSTER, LISTENER, ROUTE)]


def test_an_ack_is_not_answered() -> None:
    """When to send an update: "The management server should only send updates to the Envoy client when the
    resources in the DiscoveryResponse have changed." """
    client = Client()
    client.starts(snapshot())
    (send,) = sends(client.publish(snapshot(routes="a", listener="2")))
    assert sends(client.acks(send)) == []


def test_only_what_changed_is_pushed() -> None:
    client = Client()
    client.starts(snapshot("a b"))
    assert sent_types(client.publish(snapshot("a b"))) == []
    assert sent_types(client.publish(snapshot("a b", routes="b"))) == [ROUTE]


def test_every_response_has_its_own_nonce() -> None:
    client = Client()
    effects = client.starts(snapshot())
    effects += client.publish(snapshot(listener="2"))
    nonces = [send.nonce for send in sends(effects)]
    assert len(set(nonces)) == len(nonces) == 4


def test_a_nacked_version_is_not_sent_again_until_its_content_changes() -> None:
    """ACK/NACK: the rejected resources must not be re-sent; decided by error_detail, never by comparing versions."""
    client = Client()
    client.starts(snapshot("a b"))
    (send,) = sends(client.publish(snapshot("a b", routes="b")))
    effects = client.nacks(send, "Sum of weights must be greater than 0")
    assert effects == [Rejected(ROUTE, send.resources.version, "Sum of weights must be greater than 0")]
    assert client.publish(snapshot("a b", routes="b")) == []
    (again,) = sends(client.publish(snapshot("a b", routes="a b")))
    assert answers(client.acks(again)) == [Accepted(ROUTE, again.resources.version)]


def test_after_a_nack_the_way_back_to_what_runs_is_sent_and_reported() -> None:
    client = Client()
    good = snapshot("a b")
    client.starts(good)
    (send,) = sends(client.publish(snapshot("a b", routes="b")))
    client.nacks(send)
    (back,) = sends(client.publish(good))
    assert answers(client.acks(back)) == [Accepted(ROUTE, good.versions[ROUTE])]


def test_a_version_in_an_ack_is_not_looked_at() -> None:
    client = Client()
    client.publish(snapshot())
    (send,) = sends(client.asks(CLUSTER))
    effects = client.asks(CLUSTER, version="something else", nonce=send.nonce)
    assert answers(effects) == [Accepted(CLUSTER, send.resources.version)]


def test_a_nack_message_is_cut() -> None:
    client = Client()
    client.publish(snapshot())
    (send,) = sends(client.asks(CLUSTER))
    (rejected,) = answers(client.nacks(send, "x" * 10_000))
    assert isinstance(rejected, Rejected)
    assert len(rejected.message) == NACK_MESSAGE_CHARS_MAX


def test_a_stale_nonce_is_ignored_whole() -> None:
    """ "The management server should not send a DiscoveryResponse for any DiscoveryRequest that has a stale nonce";
    nor is its answer counted."""
    client = Client()
    client.publish(snapshot("a"))
    (old,) = sends(client.asks(CLUSTER))
    client.acks(old)
    (new,) = sends(client.publish(snapshot("a b")))
    before = client.state
    assert client.acks(old) == [Ignored(CLUSTER, "stale nonce")]
    assert client.nacks(old) == [Ignored(CLUSTER, "stale nonce")]
    assert client.state == before
    assert answers(client.acks(new)) == [Accepted(CLUSTER, new.resources.version)]


def test_what_is_published_while_an_answer_is_awaited_is_merged() -> None:
    client = Client()
    client.publish(snapshot("a"))
    (first,) = sends(client.asks(CLUSTER))
    assert client.publish(snapshot("a b")) == []
    assert client.publish(snapshot("a b c")) == []
    (merged,) = sends(client.acks(first))
    assert merged.resources.names == {"a", "b", "c"}


def test_a_route_is_not_sent_to_a_cluster_that_is_about_to_go() -> None:
    client = Client()
    client.starts(snapshot("a b", routes="a"))
    (removal,) = sends(client.publish(snapshot("a", routes="a")))
    assert client.publish(snapshot("a b", routes="b")) == []
    (clusters,) = sends(client.acks(removal))
    assert clusters.resources.names == {"a", "b"}
    assert sent_types(client.acks(clusters)) == [ROUTE]


def test_an_answer_is_counted_once() -> None:
    """Envoy repeats a request with the newest nonce when its names change."""
    client = Client()
    client.publish(snapshot("a"))
    (send,) = sends(client.asks(CLUSTER))
    assert len(answers(client.acks(send))) == 1
    assert client.acks(send) == []
    assert client.nacks(send) == []


def test_a_name_that_does_not_exist_is_remembered_and_sent_when_it_appears() -> None:
    client = Client()
    client.starts(snapshot())
    route = sends(client.asks(ROUTE, "services", "later", nonce=client.state.types[ROUTE].nonce))
    assert route == []
    (send,) = sends(client.publish(snapshot(routes={"services": "a", "later": "a"})))
    assert send.resources.names == {"later"}


def test_a_name_asked_for_again_is_sent_although_nothing_changed() -> None:
    """ "the server must resend any newly requested resources, even if … the resources have not changed since that
    time"."""
    client = Client()
    client.publish(snapshot(routes={"services": "a", "other": "a"}))
    client.settle(client.asks(CLUSTER))
    client.settle(client.asks(ROUTE, "services", "other"))
    nonce = client.state.types[ROUTE].nonce
    assert sends(client.asks(ROUTE, "services", nonce=nonce)) == []
    (send,) = sends(client.asks(ROUTE, "services", "other", nonce=nonce))
    assert send.resources.names == {"other"}


def test_a_route_that_disappears_is_not_a_response_and_the_client_counts_as_current() -> None:
    client = Client()
    client.publish(snapshot(routes={"services": "a", "other": "a"}))
    client.settle(client.asks(CLUSTER))
    client.settle(client.asks(ROUTE, "services", "other"))
    less = snapshot(routes={"services": "a"})
    assert client.publish(less) == [Accepted(ROUTE, less.versions[ROUTE])]


def test_who_drops_its_last_name_gets_nothing() -> None:
    client = Client()
    client.starts(snapshot())
    assert sends(client.asks(ROUTE, nonce=client.state.types[ROUTE].nonce)) == []
    assert sent_types(client.publish(snapshot("a b", routes="b"))) == [CLUSTER]


def test_a_client_that_brings_the_version_in_force_gets_nothing() -> None:
    """A control plane that restarts with the same content disturbs nobody."""
    target = snapshot()
    first = Client()
    first.starts(target)
    again = Client()
    effects = again.publish(target)
    for type_url, names in ((LISTENER, ()), (ROUTE, ("services",)), (CLUSTER, ())):
        effects += again.asks(type_url, *names, version=first.versions[type_url])
    assert sends(effects) == []
    assert {answer.type_url for answer in answers(effects)} == {CLUSTER, LISTENER, ROUTE}


def test_a_nonce_of_an_earlier_stream_means_nothing() -> None:
    client = Client()
    client.publish(snapshot())
    (send,) = sends(client.asks(CLUSTER, nonce="from before"))
    assert answers(client.acks(send)) == [Accepted(CLUSTER, send.resources.version)]


def test_routes_wait_for_their_clusters_also_when_envoy_reconnects_with_clusters_last() -> None:
    """Envoy 1.40 may ask EDS, LDS, RDS, CDS on a reconnect; a route is never ahead of its cluster."""
    client = Client()
    client.publish(snapshot("a b", routes="b"))
    assert sent_types(client.asks(LISTENER, version="old")) == [LISTENER]
    assert sent_types(client.asks(ROUTE, "services", version="old")) == []
    (clusters,) = sends(client.asks(CLUSTER, version="old"))
    assert sent_types(client.acks(clusters)) == [ROUTE]


def test_a_refused_cluster_holds_its_routes_and_no_others() -> None:
    client = Client()
    client.starts(snapshot("a"))
    (clusters,) = sends(client.publish(snapshot("a b", routes="b")))
    assert sends(client.nacks(clusters)) == []
    assert sent_types(client.publish(snapshot("a b", routes={"services": "a", "other": "a"}))) == []
    assert sent_types(client.publish(snapshot("a", routes="a"))) == [CLUSTER]


def test_a_cluster_goes_only_after_the_route_that_named_it() -> None:
    """ "Stale CDS clusters … can then be removed": also for a client that missed the phases in between."""
    client = Client()
    client.starts(snapshot("a", routes="a"))
    target = snapshot("b", routes="b")
    (clusters,) = sends(client.publish(target))
    assert clusters.resources.names == {"a", "b"}
    accepted = client.acks(clusters)
    (routes,) = sends(accepted)
    assert routes.type_url == ROUTE
    assert answers(accepted) == [Accepted(CLUSTER, target.versions[CLUSTER])], "it has all that it is to have"
    effects = client.acks(routes)
    assert sends(effects) == []
    assert answers(effects) == [Accepted(ROUTE, target.versions[ROUTE])]
    (last,) = sends(client.waits(effects))
    assert last.resources.names == {"b"}
    assert answers(client.acks(last)) == []


def test_a_cluster_lingers_after_its_last_route_and_stays_when_a_route_comes_back_meanwhile() -> None:
    """A request that waits in ext_proc has the routes of its start: 503 NC when its cluster has gone by then."""
    client = Client()
    client.starts(snapshot("a b", routes="a b"))
    effects = client.publish(snapshot("b", routes="b"))
    effects += client.settle(effects)
    assert Linger(1) in effects
    assert client.publish(snapshot("b", routes="b")) == []
    client.settle(client.publish(snapshot("a b", routes="a b")))
    assert sends(client.waits(effects)) == []


def test_a_cluster_of_a_route_that_is_no_longer_asked_for_lingers_too() -> None:
    client = Client()
    client.starts(snapshot("a", routes="a"))
    effects = client.asks(ROUTE, nonce=client.state.types[ROUTE].nonce)
    assert client.publish(snapshot("b", routes="b")) != []
    (kept,) = [item for item in (client.state.types[CLUSTER].pending,) if item is not None]
    assert kept.names == {"a", "b"}
    assert Linger(1) in effects


def test_a_refused_route_keeps_the_cluster_of_the_one_that_runs() -> None:
    client = Client()
    client.starts(snapshot("a", routes="a"))
    (clusters,) = sends(client.publish(snapshot("b", routes="b")))
    (routes,) = sends(client.acks(clusters))
    assert sends(client.nacks(routes)) == []


def test_a_type_that_is_not_served_does_not_disturb_the_others() -> None:
    client = Client()
    client.publish(snapshot())
    runtime = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
    assert client.asks(runtime, "layer")[-1] == Ignored(runtime, "unknown type")
    assert sent_types(client.asks(CLUSTER)) == [CLUSTER]


def test_the_node_is_remembered_from_the_first_request() -> None:
    """ "Only the first request on a stream is guaranteed to carry the node identifier." """
    client = Client()
    client.asks(CLUSTER)
    state, effects = advance(client.state, Request(LISTENER, node=Node("other")))
    assert (state.node, effects) == (NODE, ())


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("", node=NODE), "type_url"),
        (Request("type.googleapis.com/unknown", node=NODE), "none of xDS"),
        (Request(CLUSTER), "node.id"),
        (Request(CLUSTER, node=Node("")), "node.id"),
        (Request(CLUSTER, node=Node("x" * (NODE_ID_BYTES_MAX + 1))), "more than"),
    ],
)
def test_a_request_that_cannot_be_served_is_an_error_and_changes_nothing(request_: Request, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        advance(StreamState(), request_)
