from hypothesis import given
from hypothesis import strategies as st

from extproc.cohort.shapes import MESSAGE_BYTES_MAX, SHAPES_MAX, Shapes, marker_of

USER = marker_of("x-user")


def message(before: bytes, key: bytes, behind: bytes, marker: bytes = USER) -> tuple[bytes, int]:
    """And where the key begins."""
    head = before + marker + bytes([len(key)])
    return head + key + behind, len(head)


def learned(*messages: tuple[bytes, int], headers: tuple[str, ...] = ("x-user",)) -> Shapes[int]:
    """Of each message, its place in the list."""
    shapes: Shapes[int] = Shapes(headers)
    for place, (each, at) in enumerate(messages):
        shapes.learn(each, headers[0], at, place)
    return shapes


def test_messages_that_differ_by_a_key_of_the_same_length_have_one_meaning() -> None:
    shapes = learned(message(b"a", b"user1", b"b"))
    assert shapes.find(message(b"a", b"user2", b"b")[0]) == (0, b"user2")


def test_any_other_difference_is_another_shape() -> None:
    shapes = learned(message(b"a", b"user1", b"b"))
    for before, key, behind in ((b"A", b"user1", b"b"), (b"a", b"user1", b"B"), (b"a", b"user12", b"b")):
        assert shapes.find(message(before, key, behind)[0]) is None
    assert shapes.find(message(b"a", b"user1", b"b")[0][:-3]) is None, "cut off"
    assert shapes.find(b"ab") is None


@given(
    known=st.lists(
        st.tuples(st.binary(max_size=6), st.binary(min_size=1, max_size=4), st.binary(max_size=6)), max_size=6
    ),
    seen=st.lists(
        st.tuples(st.binary(max_size=6), st.binary(min_size=1, max_size=4), st.binary(max_size=6)), max_size=6
    ),
    where=st.sampled_from(["", "before", "behind", "key"]),
)
def test_what_is_found_was_learned_of_a_message_with_the_same_rest(
    known: list[tuple[bytes, bytes, bytes]], seen: list[tuple[bytes, bytes, bytes]], where: str
) -> None:
    """Also where others write into the message what looks like the key's header."""
    false = {"": b"", "before": USER + b"\x02", "behind": b"", "key": b""}[where]
    behind = USER + b"\x01z" if where == "behind" else b""
    made = [message(before + false, key, rest + behind) for before, key, rest in known]
    shapes = learned(*made)
    for before, key, rest in seen:
        asked, at = message(before + false, key, rest + behind)
        found = shapes.find(asked)
        if found is not None:
            place, text = found
            of, of_at = made[place]
            assert (at, text) == (of_at, key)
            assert asked[:at] + asked[at + len(key) :] == of[:at] + of[at + len(key) :]


def test_a_message_whose_first_such_place_is_another_headers_text_is_not_learned() -> None:
    false, at = message(USER + b"\x03abc", b"user1", b"")
    shapes = learned((false, at))
    assert shapes.find(false) is None
    assert not shapes.is_worth_learning(false, "x-user", at)


def test_shapes_of_two_headers_do_not_mix() -> None:
    session = marker_of("x-session")
    both, at = message(USER + b"\x02u1", b"s1", b"", session)
    shapes: Shapes[str] = Shapes(("x-user", "x-session"))
    shapes.learn(both, "x-session", at, "by session")
    assert shapes.find(both) == ("by session", b"s1")
    assert shapes.find(both.replace(b"s1", b"s2")) == ("by session", b"s2")
    assert shapes.find(both.replace(b"u1", b"u2")) is None


def test_a_shape_is_worth_learning_when_it_comes_again() -> None:
    shapes: Shapes[int] = Shapes(("x-user",))
    assert not shapes.is_worth_learning(*_with_header(message(b"a", b"u1", b"")))
    assert shapes.is_worth_learning(*_with_header(message(b"a", b"u2", b"")))
    assert not shapes.is_worth_learning(*_with_header(message(b"b", b"u2", b"")))


def _with_header(made: tuple[bytes, int]) -> tuple[bytes, str, int]:
    return made[0], "x-user", made[1]


def test_what_is_kept_is_bounded() -> None:
    shapes: Shapes[int] = Shapes(("x-user",))
    for number in range(3 * SHAPES_MAX):
        made, at = message(b"%d" % number, b"u1", b"")
        shapes.is_worth_learning(made, "x-user", at)
        shapes.learn(made, "x-user", at, number)
    assert shapes.find(made) == (number, b"u1")
    assert shapes.find(message(b"0", b"u1", b"")[0]) is None, "forgotten"
    for number in range(10_000):
        shapes.is_worth_learning(*_with_header(message(b"once%d" % number, b"u1", b"")))
    long, at = message(b"l" * MESSAGE_BYTES_MAX, b"u1", b"")
    shapes.learn(long, "x-user", at, 1)
    assert shapes.find(long) is None


def test_keys_and_names_of_128_bytes_have_no_shapes() -> None:
    shapes: Shapes[int] = Shapes(("x-user", "n" * 128))
    made, at = message(b"", b"k" * 128, b"")
    shapes.learn(made, "x-user", at, 1)
    assert shapes.find(made) is None
    shapes.learn(b"", "x-unknown", 1, 1)
    assert marker_of("n" * 128) == b""
    assert shapes.find(USER) is None
