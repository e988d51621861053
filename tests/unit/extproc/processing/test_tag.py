import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.processing import codec
from extproc.processing.tag import TagWriter
from serinus.contract.policy import Assignment
from serinus.envoywire import ext_proc_pb2

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)
PINS = st.none() | NAMES


def read(answer: bytes) -> ext_proc_pb2.ProcessingResponse:
    return ext_proc_pb2.ProcessingResponse.FromString(answer)


@given(
    cohort=NAMES,
    pin=PINS,
    key=st.binary(min_size=1, max_size=5_000),
    bucket=st.integers(0, 9_999),
    key_hash=st.integers(0, 2**64 - 1),
)
def test_an_answer_says_what_messages_would_say(
    cohort: str, pin: str | None, key: bytes, bucket: int, key_hash: int
) -> None:
    built = codec.encode_tag(Assignment(cohort, key, key_hash, bucket, pin), key)
    assert read(TagWriter(cohort, pin).with_key(key, key_hash, bucket)) == read(built)


@given(cohort=NAMES, pin=PINS)
def test_so_does_an_answer_without_a_key(cohort: str, pin: str | None) -> None:
    built = codec.encode_tag(Assignment(cohort, None, None, None, pin), None)
    assert read(TagWriter(cohort, pin).without_key) == read(built)


@pytest.mark.parametrize("bucket", [0, 9, 10, 99, 100, 999, 1_000, 9_999])
def test_pieces_are_those_of_a_keys_length_and_of_a_buckets(bucket: int) -> None:
    writer = TagWriter("everyone", None)
    for key in (b"r1:a", b"r1:bcd", b"r1:" + b"x" * 120, b"r1:" + b"x" * 130, b"r1:z"):
        built = codec.encode_tag(Assignment("everyone", key, 7, bucket, None), key)
        assert read(writer.with_key(key, 7, bucket)) == read(built)


def test_more_lengths_than_are_kept_are_answered_all_the_same() -> None:
    writer = TagWriter("everyone", "v2")
    for length in range(400):
        key = b"k" * length
        built = codec.encode_tag(Assignment("everyone", key, 7, 5, "v2"), key)
        assert read(writer.with_key(key, 7, 5)) == read(built)


@given(
    cohort=NAMES,
    pin=PINS,
    key=st.none() | st.binary(min_size=1, max_size=300),
    stamp=st.text("aZ9-_", min_size=48, max_size=48),
)
def test_an_answer_with_a_stamp_says_what_messages_would_say(
    cohort: str, pin: str | None, key: bytes | None, stamp: str
) -> None:
    writer = TagWriter(cohort, pin, has_stamp=True)
    answer = writer.without_key if key is None else writer.with_key(key, 7, 5)
    bucket, key_hash = (5, 7) if key is not None else (None, None)
    built = codec.encode_tag(Assignment(cohort, key, key_hash, bucket, pin), key, stamp)
    assert read(answer + writer.to_stamp + stamp.encode()) == read(built)


def test_without_stamps_nothing_is_to_be_appended() -> None:
    assert TagWriter("everyone", None).to_stamp == b""
