"""Responses are encoded once for all streams that are sent the same."""

from controlplane.snapshot.resource import CLUSTER, ENDPOINT, ResourceSet, joined
from controlplane.xds.events import DeltaSend, Send
from controlplane.xds.responses import RESPONSES_MAX, Responses
from serinus.envoywire import discovery_pb2 as pb


class _Counted:
    """A resource that counts how often its bytes are asked for."""

    def __init__(self, name: str = "a") -> None:
        self.joined_count = 0
        self.resource = joined(name, CLUSTER, self._join, [name.encode()], frozenset())

    def _join(self) -> bytes:
        self.joined_count += 1
        return b"body"


def _send(counted: _Counted, nonce: str, version: str = "v") -> Send:
    return Send(CLUSTER, nonce, ResourceSet.of((counted.resource,)), version)


def _delta(counted: _Counted, nonce: str, removed: tuple[str, ...] = ()) -> DeltaSend:
    return DeltaSend(CLUSTER, nonce, (counted.resource,), removed, "v")


def test_each_stream_gets_its_nonce_and_all_the_same_bytes_before_it() -> None:
    counted, responses = _Counted(), Responses("me")
    first, second = (responses.encoded(_send(counted, nonce)) for nonce in ("1", "2"))
    assert counted.joined_count == 1
    read = [pb.DiscoveryResponse.FromString(data) for data in (first, second)]
    assert [each.nonce for each in read] == ["1", "2"]
    assert {each.control_plane.identifier for each in read} == {"me"}
    assert first[:-3] == second[:-3]


def test_incremental_responses_too() -> None:
    counted, responses = _Counted(), Responses("me")
    data = [responses.encoded(_delta(counted, nonce)) for nonce in ("1", "2")]
    assert counted.joined_count == 1
    assert [pb.DeltaDiscoveryResponse.FromString(each).nonce for each in data] == ["1", "2"]


def test_what_differs_in_anything_but_the_nonce_is_another_response() -> None:
    counted, responses = _Counted(), Responses("me")
    different = [
        _send(counted, "1"),
        _send(counted, "1", version="w"),
        Send(ENDPOINT, "1", ResourceSet.of((counted.resource,)), "v"),
        Send(CLUSTER, "1", ResourceSet(), "v"),
        _delta(counted, "1"),
        _delta(counted, "1", removed=("gone",)),
    ]
    assert len({responses.encoded(send) for send in different}) == len(different)


def test_the_longest_unused_are_forgotten_first() -> None:
    counted, responses = [_Counted(f"c{number}") for number in range(RESPONSES_MAX + 1)], Responses("me")
    for each in counted[:-1]:
        responses.encoded(_send(each, "1"))
    responses.encoded(_send(counted[0], "2"))
    responses.encoded(_send(counted[-1], "1"))
    responses.encoded(_send(counted[0], "3"))
    responses.encoded(_send(counted[1], "2"))
    assert [each.joined_count for each in counted[:3]] == [1, 2, 1]
