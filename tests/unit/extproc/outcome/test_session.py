import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.outcome.encoding import PIECE_BYTES_MAX
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.outcome.session import BODY_BYTES_MAX, ResponseSession
from extproc.outcome.sse import EVENT_BYTES_MAX

DELTAS = [
    {"delta": {"role": "assistant", "content": None}, "finish_reason": None},
    {"delta": {"content": "Rouge, vert, bleu é"}, "finish_reason": None},
    {"delta": {}, "finish_reason": "stop"},
]
STREAM = b"".join(b"data: " + json.dumps({"choices": [{"index": 0, **d}]}).encode() + b"\r\n\r\n" for d in DELTAS)
STREAM += b"data: [DONE]\n\n"
PLAIN = (("repetition", 0), ("mixed_script", 0), ("control_tokens", 0), ("refusal", 0), ("script", 1))
SEEN = Observation(observable=True, complete=True, finish_reason="stop", has_content=True, quality=PLAIN)
# One event shows content.
GOOD = replace(SEEN, tokens_out=1, is_stream=True, is_paced=True)


def session(content_type: bytes = b"text/event-stream", encoding: bytes = b"") -> ResponseSession:
    headers = {"content-type": content_type, "content-encoding": encoding}

    def lookup(name: str) -> Sequence[bytes]:
        value = headers.get(name, b"")
        return [value] if value else []

    return ResponseSession(lookup)


@settings(deadline=None)
@given(cuts=st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=30))
def test_every_chunking_of_a_stream_gives_the_same_observation(cuts: list[int]) -> None:
    places = sorted(set(cuts))
    watched = session(b"text/event-stream; charset=utf-8")
    for a, b in zip([0, *places], [*places, len(STREAM)], strict=True):
        watched.body(STREAM[a:b])
    assert watched.end(complete=True) == GOOD


def test_a_stream_that_ends_without_a_finish_says_so() -> None:
    watched = session()
    watched.body(STREAM[: STREAM.index(b'"stop"')])
    assert watched.end(complete=True) == replace(GOOD, finish_reason=None)


def test_a_stream_that_was_cut_off_is_not_complete() -> None:
    watched = session()
    watched.body(STREAM)
    assert watched.end(complete=False) == replace(GOOD, complete=False, quality=())


def test_a_json_body_is_read_at_its_end() -> None:
    body = b'{"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}'
    watched = session(b"application/json")
    watched.body(body[:20])
    watched.body(body[20:])
    assert watched.end(complete=True) == SEEN


@pytest.mark.parametrize("body", [b"", b'{"choices": [{"ind', b"<html>"])
def test_a_json_body_that_is_none_has_no_finish(body: bytes) -> None:
    watched = session(b"application/json")
    watched.body(body)
    assert watched.end(complete=True) == Observation(observable=True, complete=True)


@pytest.mark.parametrize("encoding", [b"zstd", b"br, gzip", b"identity, gzip"])
def test_a_body_in_another_coding_is_unobservable_not_bad(encoding: bytes) -> None:
    watched = session(encoding=encoding)
    assert not watched.is_observable
    watched.body(b"\x1f\x8b")
    assert watched.end(complete=True) == UNOBSERVABLE


def test_identity_is_no_compression() -> None:
    assert session(encoding=b"Identity").is_observable


@pytest.mark.parametrize("content_type", [b"", b"text/html", b"application/octet-stream"])
def test_another_content_type_is_unobservable(content_type: bytes) -> None:
    assert session(content_type).end(complete=True) == UNOBSERVABLE


def test_an_overlong_json_body_is_given_up() -> None:
    watched = session(b"application/json")
    watched.body(b"x" * (BODY_BYTES_MAX + 1))
    watched.body(b"more")
    assert watched.end(complete=True) == UNOBSERVABLE


def test_an_overlong_event_is_given_up() -> None:
    watched = session()
    watched.body(b"data: " + b"x" * BODY_BYTES_MAX)
    assert not watched.is_observable
    assert watched.end(complete=True) == UNOBSERVABLE


@settings(deadline=None)
@given(
    chunks=st.lists(st.binary(max_size=80)), content_type=st.sampled_from([b"text/event-stream", b"application/json"])
)
def test_no_bytes_make_it_raise(chunks: list[bytes], content_type: bytes) -> None:
    watched = session(content_type)
    for chunk in chunks:
        watched.body(chunk)
    assert isinstance(watched.end(complete=True), Observation)


def events(*documents: object) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in documents)


def chunk(text: str, index: int = 0, reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("documents", "tokens", "is_paced"),
    [
        ([chunk(""), chunk("a"), chunk("b"), chunk("", reason="stop")], 2, True),
        ([chunk("a"), chunk("b", reason="stop"), {"choices": [], "usage": {"completion_tokens": 17}}], 17, True),
        (
            [{**chunk("a"), "usage": {"completion_tokens": 1}}, {**chunk("b"), "usage": {"completion_tokens": 2}}],
            2,
            True,
        ),
        ([chunk("a"), {"choices": [], "usage": None}], 1, True),
        ([chunk("a"), {"choices": [], "usage": {"completion_tokens": "many"}}], 1, True),
        ([chunk("a"), {"choices": [], "usage": {"completion_tokens": -1}}], 1, True),
        ([chunk("a"), {"choices": [], "usage": {"completion_tokens": True}}], 1, True),
        ([chunk("a"), {"choices": [], "usage": {"completion_tokens": 10**30}}], 1, True),
        ([chunk("a"), chunk("b", index=1)], 2, False),
        ([chunk("", reason="stop")], None, True),
    ],
)
def test_tokens_are_what_the_server_states_or_the_events_that_show_content(
    documents: list[object], tokens: int | None, is_paced: bool
) -> None:
    watched = session()
    watched.body(events(*documents))
    seen = watched.end(complete=True)
    assert (seen.tokens_out, seen.is_paced) == (tokens, is_paced)


def test_a_whole_answer_has_the_tokens_that_it_states_and_no_pace() -> None:
    watched = session(b"application/json")
    document = {"choices": [{"index": 0, "message": {"content": "hi"}}], "usage": {"completion_tokens": 9}}
    watched.body(json.dumps(document).encode())
    seen = watched.end(complete=True)
    assert seen.measures(5_000) == (("tokens_out", 9), *PLAIN)


@pytest.mark.parametrize(
    ("tokens", "stream_us", "measures"),
    [
        (11, 100_000, (("tpot", 10_000), ("tokens_out", 11))),
        (11, None, (("tokens_out", 11),)),
        (11, -5, (("tpot", 0), ("tokens_out", 11))),
        (1, 100_000, (("tokens_out", 1),)),
        (0, 100_000, ()),
        (None, 100_000, ()),
    ],
)
def test_the_pace_is_the_time_between_the_first_token_and_the_last(
    tokens: int | None, stream_us: int | None, measures: tuple[tuple[str, int], ...]
) -> None:
    assert replace(GOOD, tokens_out=tokens).measures(stream_us) == measures + PLAIN
    assert replace(GOOD, tokens_out=tokens, complete=False).measures(stream_us) == ()


def test_the_first_content_of_a_stream_has_its_time_not_the_first_byte() -> None:
    watched = session()
    watched.body(b": warming up\n\n", 10)
    watched.body(events(chunk("")), 20)
    watched.body(events(chunk("a")), 30)
    watched.body(events(chunk("b", reason="stop")), 40)
    assert watched.end(complete=True).content_us == 30
    whole = session(b"application/json")
    whole.body(json.dumps(chunk("a", reason="stop")).encode(), 30)
    assert whole.end(complete=True).content_us is None


@pytest.mark.parametrize(
    ("content_us", "first_us", "finished_us", "times"),
    [
        (None, 5_000, 90_000, (5_000, 85_000)),
        (1_030_000, 5_000, 90_000, (30_000, 60_000)),
        (1_001_000, 5_000, 90_000, (5_000, 85_000)),  # before the proxy saw a byte: our clock is off
        (1_300_000, 5_000, 90_000, (90_000, 0)),  # we were late
        (1_030_000, 5_000, None, (30_000, None)),
        (1_030_000, None, 90_000, (None, None)),
    ],
)
def test_the_proxys_clock_bounds_ours(
    content_us: int | None, first_us: int | None, finished_us: int | None, times: tuple[int | None, int | None]
) -> None:
    assert replace(GOOD, content_us=content_us).times(1_000_000, first_us, finished_us) == times


def coded(body: bytes, coding: bytes) -> bytes:
    return {b"gzip": gzip.compress, b"deflate": zlib.compress, b"br": brotli.compress}[coding](body)


CODINGS = [b"gzip", b"deflate", b"br"]


@settings(deadline=None)
@given(cuts=st.lists(st.integers(min_value=0, max_value=200), max_size=30), coding=st.sampled_from(CODINGS))
def test_a_coded_stream_is_read_whatever_the_cutting(cuts: list[int], coding: bytes) -> None:
    body = coded(STREAM, coding)
    places = sorted({min(cut, len(body)) for cut in cuts})
    watched = session(encoding=coding)
    for a, b in zip([0, *places], [*places, len(body)], strict=True):
        watched.body(body[a:b])
    assert watched.end(complete=True) == GOOD


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coded_answer_is_read_whole(coding: bytes) -> None:
    watched = session(b"application/json", coding.upper())
    watched.body(coded(json.dumps({"choices": [{"finish_reason": "stop", "text": "hi"}]}).encode(), coding))
    assert watched.end(complete=True) == SEEN


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coded_body_that_stops_short_is_not_complete(coding: bytes) -> None:
    watched = session(encoding=coding)
    watched.body(coded(STREAM, coding)[:-3])
    assert not watched.end(complete=True).complete


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "make",
    [
        lambda _: b"data: plain\n\n",
        lambda coding: coded(STREAM, coding) + b"more",
        lambda coding: coded(b"data: {}\n\n" * 200_000, coding),  # 2 MB of events in some KB
        lambda coding: coded(bytes(EVENT_BYTES_MAX + 2 * PIECE_BYTES_MAX), coding),
    ],
)
def test_what_is_not_what_its_coding_says_or_grows_too_much_is_unobservable(
    make: Callable[[bytes], bytes], coding: bytes
) -> None:
    watched = session(encoding=coding)
    watched.body(make(coding))
    assert not watched.is_observable
    watched.body(b"more")
    assert watched.end(complete=True) == UNOBSERVABLE


def test_what_the_server_says_of_the_prompt_is_kept() -> None:
    watched = session(b"application/json")
    usage = {"completion_tokens": 9, "prompt_tokens": 80, "prompt_tokens_details": {"cached_tokens": 72}}
    watched.body(json.dumps({"choices": [{"index": 0, "message": {"content": "hi"}}], "usage": usage}).encode())
    seen = watched.end(complete=True)
    assert seen.measures(None) == (("tokens_out", 9), *PLAIN, ("tokens_in", 80), ("tokens_cached", 72))


def test_only_streams_have_a_time_to_the_first_token() -> None:
    whole = replace(GOOD, is_stream=False, is_paced=False)
    assert whole.sizes(0, 5_000, 9_000)[0] is None
    assert GOOD.sizes(0, 5_000, 9_000)[0] == 5_000
    assert UNOBSERVABLE.sizes(0, 5_000, 9_000) == (5_000, ())


def test_the_longest_pause_of_a_stream_counts_from_its_first_content_on() -> None:
    watched = session()
    role, content, finish, done = STREAM.replace(b"\r\n", b"\n").split(b"\n\n")[:4]
    for piece, at_us in ((role, 0), (content, 900_000), (b": ping", 950_000), (finish, 1_200_000), (done, 1_210_000)):
        watched.body(piece + b"\n\n", at_us)
    seen = watched.end(complete=True)
    assert (seen.content_us, seen.gap_us) == (900_000, 250_000)
    assert dict(seen.measures(None))["token_gap"] == 250_000
    assert "token_gap" not in dict(GOOD.measures(None))
