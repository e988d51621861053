"""What a stream of the state of the world does when its client refuses, or keeps silent. Measured behaviour is Envoy
1.40's.
"""

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, LISTENER, ROUTE, ResourceSet, opaque
from controlplane.xds.events import Accepted, Ignored, Rejected
from tests.unit.controlplane.xds.factory import Client, answers, sends, sent_types, snapshot

_LATE = "Error adding/updating cluster(s) {}: no"


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_the_others_of_a_refused_response_are_sent_again_where_the_bad_one_is_named() -> None:
    client = Client()
    client.starts(snapshot("a"))
    (send,) = sends(client.publish(snapshot("a bad c")))
    (again,) = sends(client.nacks(send, _LATE.format("bad")))
    assert again.resources.names == only("a", "c")
    assert sends(client.acks(again)) == []


def test_where_none_is_named_all_are_suspects_until_one_of_them_changes() -> None:
    client = Client()
    client.starts(snapshot("a"))
    (send,) = sends(client.publish(snapshot("a b c")))
    assert sends(client.nacks(send)) == []
    assert sends(client.publish(snapshot("a b c", listener="2")))[0].type_url == LISTENER
    (again,) = sends(client.publish(snapshot({"a": "1", "b": "2", "c": "1"}, listener="2")))
    assert again.resources.names == only("a", "b", "c")


def test_a_refused_cluster_stands_in_the_full_state_as_it_ran_before() -> None:
    """Absence would delete it."""
    client = Client()
    client.starts(snapshot({"a": "1"}))
    (send,) = sends(client.publish(snapshot({"a": "bad"})))
    client.nacks(send, _LATE.format("a"))
    (again,) = sends(client.publish(snapshot({"a": "bad", "b": "1"})))
    assert again.resources == snapshot("a b").of_type(CLUSTER)


def test_what_a_refused_response_removed_may_be_gone_and_is_given_anew_when_it_is_wanted_again() -> None:
    """Of a response with one bad cluster Envoy takes the others in, removals too."""
    client = Client()
    client.starts(snapshot("a b", "a"))
    (send,) = sends(client.publish(snapshot({"a": "bad"}, "a")))
    client.publish(snapshot({"a": "bad", "b": "1"}, "b"))
    effects = client.nacks(send, _LATE.format("a"))
    assert sent_types(effects) == [CLUSTER], "no route to it before it is there again"
    assert sends(effects)[0].resources == snapshot("a b").of_type(CLUSTER)
    assert sent_types(client.settle(effects)) == [ROUTE]


def test_what_a_refused_response_changed_may_run_and_is_set_back_when_it_is_wanted_no_more() -> None:
    client = Client()
    client.starts(snapshot({"a": "1", "b": "1"}))
    (send,) = sends(client.publish(snapshot({"a": "bad", "b": "2"})))
    client.publish(snapshot({"a": "bad", "b": "1"}))
    (again,) = sends(client.nacks(send, _LATE.format("a")))
    assert again.resources == snapshot("a b").of_type(CLUSTER)


def test_a_client_that_refuses_an_empty_response_is_left_alone() -> None:
    client = Client()
    client.publish(snapshot("", ""))
    (send,) = sends(client.asks(CLUSTER))
    assert sends(client.nacks(send)) == []
    assert sent_types(client.publish(snapshot("a", "a"))) == [CLUSTER]


def test_a_client_that_refuses_the_removal_of_a_listener_is_left_alone() -> None:
    client = Client()
    client.starts(snapshot())
    one, two = snapshot().of_type(LISTENER), ResourceSet()
    (send,) = sends(client.publish(type(snapshot())({**snapshot().types, LISTENER: two})))
    (rejected,) = client.nacks(send)
    assert isinstance(rejected, Rejected), "and is not told of as accepted"
    (back,) = sends(client.publish(snapshot()))
    assert back.resources == one


def test_what_was_refused_while_it_was_wanted_no_more_is_tried_when_it_is_wanted_again() -> None:
    both = snapshot("a b", "a", endpoints="a b")
    client = Client()
    client.publish(both)
    (send,) = sends(client.asks(ENDPOINT, "a", "b"))
    client.publish(snapshot("a", "a", endpoints="a"))
    (again,) = sends(client.nacks(send))
    assert again.resources.names == only("a")
    assert sent_types(client.settle([again])) == []
    assert sends(client.publish(both))[0].resources.names == only("b")


def test_what_nobody_remembers_is_never_sent_in_the_place_of_what_was_refused() -> None:
    client = Client()
    client.publish(snapshot(routes={"services": "a", "more": "a"}))
    client.settle(client.asks(CLUSTER))
    old = ResourceSet.of((opaque("services", ROUTE, "?"), opaque("more", ROUTE, "?")))
    (send,) = sends(client.asks(ROUTE, "services", "more", version="?", brought=old))
    (again,) = sends(client.nacks(send, "route services: no"))
    assert again.resources.names == only("more")


def test_clusters_without_an_answer_count_as_refused_by_name_and_the_others_go_on() -> None:
    """Envoy 1.40 keeps silent about some refusals, and answers to no further clusters then."""
    client = Client()
    client.starts(snapshot("a"))
    (send,) = sends(client.publish(snapshot("a b")))
    (rejected,) = client.overdue(send)
    assert isinstance(rejected, Rejected)
    assert rejected.message.endswith("clusters: b")
    (over,) = sends(client.publish(snapshot("a b c")))
    assert over.resources.names == only("a", "c")


def test_an_answer_that_comes_in_time_is_not_overdue() -> None:
    client = Client()
    (send,) = sends(client.publish(snapshot()) + client.asks(CLUSTER))
    client.acks(send)
    assert client.overdue(send) == []
    (other,) = sends(client.publish(snapshot("a b")))
    assert client.overdue(send) == []
    assert client.overdue(other) != []
    assert client.overdue(other) == [], "it is told once"


def test_nothing_is_overdue_where_clusters_were_never_asked_for() -> None:
    client = Client()
    (send,) = sends(client.publish(snapshot()) + client.asks(LISTENER))
    assert client.overdue(send) == []


def test_a_late_acceptance_settles_what_was_overdue_and_nothing_is_sent_again() -> None:
    target = snapshot("a b")
    client = Client()
    client.starts(snapshot("a"))
    (send,) = sends(client.publish(target))
    client.overdue(send)
    assert client.acks(send) == [Accepted(CLUSTER, target.versions[CLUSTER])]
    assert client.publish(target) == []


def test_words_that_were_kept_back_come_with_the_newest_nonce_and_tell_who_was_bad() -> None:
    """Over the state of the world Envoy 1.40 answers two responses by one request, with the words of the first."""
    wanted = snapshot("a bad c")
    client = Client()
    client.starts(snapshot("a"))
    (silent,) = sends(client.publish(wanted))
    client.overdue(silent)
    (settling,) = sends(client.publish(snapshot("a bad c d")))
    assert client.nacks(silent, _LATE.format("bad")) == [Ignored(CLUSTER, "stale nonce")]
    (again,) = sends(client.nacks(settling, _LATE.format("bad")))
    assert again.resources.names == only("a", "c", "d")
    client.settle([again])
    good = snapshot("a c d")
    assert answers(client.publish(good)) == [Accepted(CLUSTER, good.versions[CLUSTER])]


def test_a_proxy_whose_bad_cluster_is_withdrawn_is_told_of_as_accepted() -> None:
    good = snapshot("a")
    client = Client()
    client.starts(good)
    (silent,) = sends(client.publish(snapshot("a bad")))
    client.overdue(silent)
    (settling,) = sends(client.publish(snapshot({"a": "1", "bad": "2"})))
    client.nacks(settling, _LATE.format("bad"))
    effects = client.publish(good)
    assert answers(effects + client.settle(effects)) == [Accepted(CLUSTER, good.versions[CLUSTER])]


def test_endpoints_are_sent_again_behind_each_change_of_their_cluster() -> None:
    """Resource warming: the cluster waits for them 15 s otherwise, although they have not changed."""
    client = Client()
    client.starts(snapshot("a b", endpoints="a b"))
    client.settle(client.asks(ENDPOINT, "a", "b"))
    effects = client.publish(snapshot({"a": "2", "b": "1"}, endpoints="a b"))
    assert [(send.type_url, send.resources.names) for send in sends(effects)] == [
        (CLUSTER, only("a", "b")),
        (ENDPOINT, only("a")),
    ]


def test_endpoints_that_a_client_brings_are_sent_again_if_their_cluster_is_changing() -> None:
    """On a reconnect clusters may be asked for before their endpoints."""
    old = snapshot("a b", endpoints="a b")
    client = Client()
    client.publish(snapshot({"a": "2", "b": "1"}, endpoints="a b"))
    client.asks(CLUSTER, version=old.versions[CLUSTER], brought=old.of_type(CLUSTER))
    (send,) = sends(client.asks(ENDPOINT, "a", "b", version=old.versions[ENDPOINT], brought=old.of_type(ENDPOINT)))
    assert send.resources.names == only("a")


def test_names_that_a_client_dropped_are_not_among_those_that_it_brought() -> None:
    target = snapshot()
    client = Client()
    client.asks(ROUTE, "services", version=target.versions[ROUTE], brought=target.of_type(ROUTE))
    client.asks(ROUTE)
    client.asks(ROUTE, "services")
    client.publish(target)
    assert sent_types(client.settle(client.asks(CLUSTER))) == [ROUTE]
