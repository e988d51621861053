"""What an incremental stream does when its client refuses, or keeps silent. Measured behaviour is Envoy 1.40's."""

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST
from controlplane.xds.events import Accepted, Ignored, Rejected
from tests.unit.controlplane.xds.factory import DeltaClient, answers, delta_sends, sent_types, snapshot, told

_LATE = "Error adding/updating cluster(s) {}: no"


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_a_refused_resource_is_not_sent_again_until_its_content_changes() -> None:
    """When to send an update: "the same set of resources … will cause needless work". Decided by error_detail."""
    client = DeltaClient()
    client.starts(snapshot("a b", hosts={"chat": "a"}))
    (send,) = delta_sends(client.publish(snapshot("a b", hosts={"chat": "b"})))
    (rejected,) = client.nacks(send, "Sum of weights must be greater than 0")
    assert isinstance(rejected, Rejected)
    assert client.publish(snapshot("a b", hosts={"chat": "b"})) == []
    assert client.publish(snapshot("a b", hosts={"chat": "b"}, listener="2")) != []
    target = snapshot("a b", hosts={"chat": "a b"}, listener="2")
    (better,) = delta_sends(client.publish(target))
    assert answers(client.acks(better)) == [Accepted(VIRTUAL_HOST, target.incremental.versions[VIRTUAL_HOST])]


def test_the_others_of_a_refused_response_are_sent_again_where_the_bad_one_is_named() -> None:
    client = DeltaClient()
    client.starts(snapshot("a"))
    (send,) = delta_sends(client.publish(snapshot({"a": "1", "bad": "1", "c": "1"})))
    effects = client.nacks(send, _LATE.format("bad"))
    assert told(effects) == [(CLUSTER, only("c"), ("bad",))], "and the bad one is settled by the way"
    assert client.settle(effects) == []


def test_where_none_is_named_all_are_suspects_until_one_of_them_changes() -> None:
    client = DeltaClient()
    client.starts(snapshot("a"))
    (send,) = delta_sends(client.publish(snapshot({"a": "1", "b": "1", "c": "1"})))
    assert delta_sends(client.nacks(send)) == []
    effects = client.publish(snapshot({"a": "1", "b": "2", "c": "1"}))
    assert told(effects) == [(CLUSTER, only("b", "c"), ())]


def test_the_way_back_to_what_runs_settles_a_refused_cluster() -> None:
    """A cluster that was refused late keeps every later answer back until it has a config that is taken."""
    good = snapshot({"a": "1"})
    client = DeltaClient()
    client.starts(good)
    (send,) = delta_sends(client.publish(snapshot({"a": "bad"})))
    assert delta_sends(client.nacks(send, _LATE.format("a"))) == []
    effects = client.publish(good)
    assert told(effects) == [(CLUSTER, only("a"), ())]
    assert answers(effects) == []
    assert answers(client.settle(effects)) == [Accepted(CLUSTER, good.versions[CLUSTER])]


def test_an_unrelated_cluster_carries_what_settles_a_refused_one() -> None:
    client = DeltaClient()
    client.starts(snapshot({"a": "1"}, endpoints="a"))
    (send, endpoints) = delta_sends(client.publish(snapshot({"a": "bad"}, endpoints="a")))
    client.acks(endpoints)
    client.nacks(send, _LATE.format("a"))
    effects = client.publish(snapshot({"a": "bad", "b": "1"}, endpoints="a"))
    assert told(effects) == [(CLUSTER, only("a", "b"), ()), (ENDPOINT, only("a"), ())]
    clusters = delta_sends(effects)[0]
    assert [item.version for item in clusters.changed if item.name == "a"] == [
        snapshot({"a": "1"}).of_type(CLUSTER).resources["a"].version
    ], "what it ran before"


def test_a_refused_cluster_holds_the_routes_that_name_it_and_no_others() -> None:
    client = DeltaClient()
    client.starts(snapshot("a", hosts={"chat": "a", "docs": "a"}))
    (send,) = delta_sends(client.publish(snapshot({"a": "1", "bad": "1"}, hosts={"chat": "bad", "docs": "a"})))
    client.nacks(send, _LATE.format("bad"))
    effects = client.publish(snapshot({"a": "1", "bad": "1"}, hosts={"chat": "bad", "docs": "a", "new": "a"}))
    assert told(effects) == [(VIRTUAL_HOST, only("services/new"), ())]


def test_what_a_refused_response_removed_may_be_gone_and_is_given_anew_when_it_is_wanted_again() -> None:
    """Measured: of a response with one bad cluster Envoy takes the others in, removals too."""
    client = DeltaClient()
    client.starts(snapshot("a b", hosts={"chat": "a"}))
    (send,) = delta_sends(client.publish(snapshot({"a": "bad"}, hosts={"chat": "a"})))
    assert told([send]) == [(CLUSTER, only("a"), ("b",))]
    client.publish(snapshot({"a": "bad", "b": "1"}, hosts={"chat": "b"}))
    effects = client.nacks(send, _LATE.format("a"))
    assert told(effects) == [(CLUSTER, only("a", "b"), ())]
    assert sent_types(effects) == [CLUSTER], "no route to it before it is there again"
    assert sent_types(client.settle(effects)) == [VIRTUAL_HOST]


def test_what_a_refused_response_changed_may_run_and_is_set_back_when_it_is_wanted_no_more() -> None:
    client = DeltaClient()
    client.starts(snapshot({"a": "1", "b": "1"}))
    (send,) = delta_sends(client.publish(snapshot({"a": "bad", "b": "2"})))
    client.publish(snapshot({"a": "bad", "b": "1"}))
    assert told(client.nacks(send, _LATE.format("a"))) == [(CLUSTER, only("a", "b"), ())]


def test_a_client_that_refuses_a_removal_is_left_alone_until_something_else_is_wanted() -> None:
    client = DeltaClient()
    client.starts(snapshot("a", hosts={"chat": "a", "docs": "a"}))
    (removal,) = delta_sends(client.publish(snapshot("a", hosts={"chat": "a"})))
    assert sent_types(client.nacks(removal)) == []
    assert sent_types(client.publish(snapshot("a", hosts={"chat": "a"}, listener="2"))) != [VIRTUAL_HOST]
    effects = client.publish(snapshot("a", hosts={}))
    assert (VIRTUAL_HOST, only(), ("services/chat", "services/docs")) in told(effects)


def test_a_client_that_refuses_what_it_runs_is_not_told_of_as_accepted() -> None:
    client = DeltaClient()
    client.starts(snapshot())
    (again,) = delta_sends(client.asks(ROUTE, "services"))
    assert [type(answer) for answer in answers(client.nacks(again))] == [Rejected]
    target = snapshot(routes={"services": "a", "more": "a"})
    assert answers(client.publish(target)) == [Accepted(ROUTE, target.versions[ROUTE])]


def test_a_name_that_is_refused_is_told_of_as_missing_to_a_client_that_asks_again() -> None:
    client = DeltaClient()
    client.publish(snapshot())
    client.settle(client.asks(CLUSTER))
    (send,) = delta_sends(client.asks(ROUTE, "services"))
    client.nacks(send)
    assert told(client.asks(ROUTE, "services")) == [(ROUTE, only(), ("services",))]


def test_clusters_without_an_answer_count_as_refused_by_name_and_the_others_go_on() -> None:
    """Measured: Envoy 1.40 keeps silent about some refusals, and answers to no further clusters then."""
    client = DeltaClient()
    client.starts(snapshot("a", hosts={"chat": "a"}))
    (send,) = delta_sends(client.publish(snapshot({"a": "1", "b": "1", "c": "1"}, hosts={"chat": "a"})))
    (rejected,) = client.overdue(send)
    assert isinstance(rejected, Rejected)
    assert rejected.message.endswith("clusters: b, c")
    effects = client.publish(snapshot({"a": "1", "b": "1", "c": "1", "d": "1"}, hosts={"chat": "a"}))
    assert told(effects) == [(CLUSTER, only("d"), ("b", "c"))], "over the response that has no answer"


def test_an_answer_that_comes_in_time_is_not_overdue() -> None:
    client = DeltaClient()
    (send,) = delta_sends(client.publish(snapshot()) + client.asks(CLUSTER))
    client.acks(send)
    assert client.overdue(send) == []
    (other,) = delta_sends(client.publish(snapshot("a b")))
    assert client.overdue(send) == []
    assert client.overdue(other) != []
    assert client.overdue(other) == [], "it is told once"


def test_nothing_is_overdue_where_clusters_were_never_asked_for() -> None:
    client = DeltaClient()
    (send,) = delta_sends(client.publish(snapshot("", routes="")) + client.asks(ROUTE, "none"))
    assert client.overdue(send) == []


def test_a_late_acceptance_settles_what_was_overdue_and_nothing_is_sent_again() -> None:
    target = snapshot("a b")
    client = DeltaClient()
    client.starts(snapshot("a"))
    (send,) = delta_sends(client.publish(target))
    client.overdue(send)
    assert client.acks(send) == [Accepted(CLUSTER, target.versions[CLUSTER])]
    assert client.publish(target) == []


def test_late_words_tell_which_suspect_was_bad_and_the_others_get_another_try() -> None:
    """Measured: the answers that were kept back come in order once the stuck cluster is settled."""
    client = DeltaClient()
    client.starts(snapshot("a"))
    (silent,) = delta_sends(client.publish(snapshot({"a": "1", "bad": "1", "c": "1"})))
    client.overdue(silent)
    (settling,) = delta_sends(client.publish(snapshot({"a": "1", "bad": "1", "c": "1", "d": "1"})))
    effects = client.nacks(silent, _LATE.format("bad"))
    assert [answer.message for answer in answers(effects) if isinstance(answer, Rejected)] == [_LATE.format("bad")]
    assert delta_sends(effects) == []
    assert told(client.acks(settling)) == [(CLUSTER, only("c"), ())]


def test_late_words_that_name_no_suspect_are_passed_over() -> None:
    client = DeltaClient()
    client.starts(snapshot("a"))
    (silent,) = delta_sends(client.publish(snapshot({"a": "1", "b": "1"})))
    client.overdue(silent)
    client.publish(snapshot({"a": "1", "b": "1", "c": "1"}))
    assert client.nacks(silent, "no") == [Ignored(CLUSTER, "stale nonce")]


def test_a_proxy_that_has_not_settled_its_clusters_is_not_told_of_as_accepted() -> None:
    good = snapshot("a")
    client = DeltaClient()
    client.starts(good)
    (send,) = delta_sends(client.publish(snapshot({"a": "1", "b": "1"})))
    client.overdue(send)
    (settling,) = delta_sends(client.publish(good))
    assert told([settling]) == [(CLUSTER, only(), ("b",))]
    (rejected,) = answers(client.nacks(settling))
    assert isinstance(rejected, Rejected)
