"""One face for both modes."""

import pytest

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER
from controlplane.xds.delta_state import DeltaState
from controlplane.xds.errors import StreamError
from controlplane.xds.events import DeltaRequest, DeltaSend, Opened, Published, Request, Send
from controlplane.xds.machine import Machine
from controlplane.xds.stream_state import StreamState
from serinus.envoywire import discovery_pb2 as pb
from tests.unit.controlplane.xds.factory import NODE, snapshot

_NODE = pb.Node(id=NODE.node_id, cluster=NODE.cluster)


def test_a_machine_reads_and_answers_the_state_of_the_world() -> None:
    machine = Machine(Mode.SOTW)
    request = machine.parse(pb.DiscoveryRequest(type_url=CLUSTER, node=_NODE).SerializeToString())
    assert request == Request(CLUSTER, node=NODE)
    assert machine.advance(Published(snapshot())) == ()
    opened, send = machine.advance(request)
    assert opened == Opened(NODE)
    assert isinstance(send, Send)
    assert isinstance(machine.state, StreamState)


def test_a_machine_reads_and_answers_increments() -> None:
    machine = Machine(Mode.DELTA)
    request = machine.parse(pb.DeltaDiscoveryRequest(type_url=CLUSTER, node=_NODE).SerializeToString())
    assert request == DeltaRequest(CLUSTER, node=NODE)
    assert machine.advance(Published(snapshot())) == ()
    opened, send = machine.advance(request)
    assert opened == Opened(NODE)
    assert isinstance(send, DeltaSend)
    assert isinstance(machine.state, DeltaState)


@pytest.mark.parametrize("mode", list(Mode))
def test_after_an_error_its_state_is_as_it_was(mode: Mode) -> None:
    machine = Machine(mode)
    before = machine.state
    with pytest.raises(StreamError):
        machine.parse(b"\xff")
    with pytest.raises(StreamError):
        machine.advance(Request("") if mode is Mode.SOTW else DeltaRequest(""))
    assert machine.state is before
