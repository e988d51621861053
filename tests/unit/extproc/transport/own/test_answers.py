from hpack import Decoder

from extproc.grpc_wire.status import Status
from extproc.h2.request import request_of
from extproc.transport.own import answers
from tests.unit.extproc.h2.peer import FIELDS

OK = (b"grpc-status", b"0")


def read(block: bytes) -> list[tuple[bytes, bytes]]:
    return [tuple(field) for field in Decoder().decode(block, raw=True)]


def test_the_prebuilt_blocks_are_what_another_implementation_reads() -> None:
    head = [(b":status", b"200"), (b"content-type", b"application/grpc")]
    assert read(answers.HEAD.block) == head
    assert read(answers.TRAILERS_OK.block) == [OK]
    assert read(answers.ONLY_OK.block) == [*head, OK]
    assert (answers.HEAD.is_end, answers.TRAILERS_OK.is_end, answers.ONLY_OK.is_end) == (False, True, True)


def test_a_failure_is_trailers_behind_a_head_and_a_block_of_its_own_without() -> None:
    behind = answers.failure(Status.INTERNAL, "why", has_head=True)
    assert read(behind.block) == [(b"grpc-status", b"13"), (b"grpc-message", b"why")]
    alone = answers.failure(Status.INTERNAL, "why", has_head=False)
    assert read(alone.block)[0] == (b":status", b"200")


def test_a_call_is_not_refused() -> None:
    assert answers.refusal(request_of(FIELDS)) is None
    refused = answers.refusal(request_of(FIELDS[:4]))
    assert refused is not None
    assert read(refused.block)[0] == (b":status", b"415")
    assert not refused.is_end
    head = answers.refusal(request_of([(name, b"HEAD" if name == b":method" else each) for name, each in FIELDS]))
    assert head is not None
    assert head.is_end
