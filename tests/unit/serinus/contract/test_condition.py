"""What each condition means, case by case. The sidecar's compiled form is held to this one by a property test."""

import re

import pytest

from serinus.contract.bucket import bucket_of
from serinus.contract.condition import (
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    MissingFileError,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    Surroundings,
    TextTest,
    TimeTest,
    depth_of,
    every,
    headers_denied,
    headers_read,
    holds,
    lists_read,
)

# 2026-03-02 09:30:00 UTC, a Monday.
MONDAY_0930_S = 1_772_443_800
AROUND = Surroundings(
    now_s=MONDAY_0930_S,
    regex=lambda pattern, text: re.fullmatch(pattern.encode(), text) is not None,
    in_list=lambda name, text: (name, text) == ("ids", b"u1"),
)


def text(op: Op, *operands: str, source: Source = Source.HEADER, name: str = "x") -> TextTest:
    return TextTest(source, name if source in (Source.HEADER, Source.COOKIE, Source.QUERY) else "", op, operands)


def met(condition: Condition, key: bytes | None = None, **headers: str | list[bytes]) -> bool:
    """`x="a"` is the header x; `_path`, `_method`, `_source` are what Envoy tells beside the headers."""
    given = {
        name.replace("_", ":", 1) if name.startswith("_") else name: value
        if isinstance(value, list)
        else [value.encode()]
        for name, value in headers.items()
    }
    return holds(condition, lambda name: given.get(name, []), key, AROUND)


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (text(Op.EXACT, "ml"), ["ml"], ["", "ML", "mlx", "xml"]),
        (text(Op.PREFIX, "eu-"), ["eu-", "eu-1"], ["", "eu", "xeu-"]),
        (text(Op.SUFFIX, "@a.de"), ["@a.de", "b@a.de"], ["", "b@a.dex"]),
        (text(Op.IN, "a", "é"), ["a", "é"], ["", "b", "a,a"]),
        (text(Op.REGEX, "a+"), ["a", "aaa"], ["", "ab", "ba"]),
        (text(Op.IN_FILE, "ids"), ["u1"], ["u2", ""]),
        (text(Op.PRESENT), ["", "a"], []),
        (text(Op.PREFIX, ""), ["", "a"], []),
        (ModuloTest(Source.HEADER, "x", 10, (0, 3)), ["0", "10", "0013"], ["", "4", "-3", "3.0", "x3", "1" * 41]),
    ],
)
def test_a_text_meets_a_test_or_not(condition: Condition, yes: list[str], no: list[str]) -> None:
    assert [value for value in yes if not met(condition, x=value)] == []
    assert [value for value in no if met(condition, x=value)] == []
    assert not met(condition), "an absent text meets nothing"
    assert met(Not(condition)), "so its opposite holds"


def test_a_header_that_stands_twice_is_joined_by_a_comma() -> None:
    assert met(text(Op.EXACT, "a,b"), x=[b"a", b"b"])
    assert not met(text(Op.EXACT, "a"), x=[b"a", b"b"])


def test_values_are_bytes_that_need_not_be_utf_8() -> None:
    assert met(text(Op.PREFIX, "a"), x=[b"a\xff"])
    assert not met(text(Op.EXACT, "a"), x=[b"a\xff"])


def test_a_text_comes_from_where_the_condition_says() -> None:
    assert met(text(Op.EXACT, "1", source=Source.COOKIE), cookie="y=2; x=1")
    assert not met(text(Op.PRESENT, source=Source.COOKIE), cookie="y=2")
    assert met(text(Op.EXACT, "1 2", source=Source.QUERY), _path="/v1?x=1%202&y=3")
    assert not met(text(Op.PRESENT, source=Source.QUERY), _path="/v1?x=1&x=1")
    assert met(text(Op.EXACT, "/v1/a%20b", source=Source.PATH), _path="/v1/a%20b?x=1")
    assert met(text(Op.EXACT, "GET", source=Source.METHOD), _method="GET")
    assert met(text(Op.EXACT, "u1", source=Source.KEY), b"u1")
    assert not met(text(Op.PRESENT, source=Source.KEY), None)


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("10.1.2.3:4711", ("10.0.0.0/8",), True),
        ("10.1.2.3", ("192.168.0.0/16", "10.1.2.3/32"), True),
        ("11.1.2.3:1", ("10.0.0.0/8",), False),
        ("[2001:db8::7]:443", ("2001:db8::/32",), True),
        ("2001:db8::7", ("2001:db9::/32",), False),
        ("[::ffff:10.0.0.1]:9", ("10.0.0.0/8",), True),
        ("10.0.0.1:9", ("::/0",), False),
        ("/run/socket", ("0.0.0.0/0", "::/0"), False),
    ],
)
def test_the_clients_address_lies_in_a_network_or_not(address: str, networks: tuple[str, ...], expected: bool) -> None:
    assert met(AddressTest(networks), _source=address) is expected


def test_without_an_address_no_network_holds() -> None:
    assert not met(AddressTest(("0.0.0.0/0",)))


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (TimeTest(after_s=MONDAY_0930_S), True),
        (TimeTest(after_s=MONDAY_0930_S + 1), False),
        (TimeTest(before_s=MONDAY_0930_S), False),
        (TimeTest(before_s=MONDAY_0930_S + 1), True),
        (TimeTest(days=(0,)), True),
        (TimeTest(days=(1, 2, 3, 4, 5, 6)), False),
        (TimeTest(from_minute=9 * 60, until_minute=17 * 60), True),
        (TimeTest(from_minute=9 * 60 + 31, until_minute=17 * 60), False),
        (TimeTest(from_minute=8 * 60, until_minute=9 * 60 + 30), False),
        (TimeTest(from_minute=22 * 60, until_minute=10 * 60), True),
        (TimeTest(from_minute=22 * 60, until_minute=6 * 60), False),
        (TimeTest(days=(0,), from_minute=22 * 60, until_minute=6 * 60), False),
    ],
)
def test_a_moment_lies_in_a_window_or_not(window: TimeTest, expected: bool) -> None:
    assert met(window) is expected


def test_a_share_is_dealt_by_its_own_salt_and_keeps_its_users_when_it_grows() -> None:
    keys = [b"user-%d" % number for number in range(2_000)]
    small, large = ({key for key in keys if met(ShareTest(share_bp, "cohort/a"), key)} for share_bp in (1_000, 3_000))
    other = {key for key in keys if met(ShareTest(1_000, "cohort/b"), key)}
    assert small < large
    assert 140 < len(small) < 260
    assert len(small & other) < 60, "another salt deals other users"
    assert not met(ShareTest(10_000, "cohort/a"), None)


# Golden: a change here moves users in and out of cohorts that are in force.
@pytest.mark.parametrize(
    ("salt", "key", "bucket"), [("cohort/chat/beta", b"u1", 2_709), ("cohort/team-a", b"alice@example.com", 4_400)]
)
def test_shares_stay_what_they_are(salt: str, key: bytes, bucket: int) -> None:
    assert bucket_of(salt, key) == bucket
    assert met(ShareTest(bucket + 1, salt), key)
    assert not met(ShareTest(bucket, salt), key)


def test_conditions_combine() -> None:
    a, b = text(Op.EXACT, "1"), text(Op.EXACT, "1", name="y")
    assert met(AllOf((a, b)), x="1", y="1")
    assert not met(AllOf((a, b)), x="1")
    assert met(AnyOf((a, b)), y="1")
    assert not met(AnyOf((a, b)), x="2")
    assert met(AllOf((a, Not(b))), x="1")
    assert (depth_of(a), depth_of(Not(AllOf((a, AnyOf((b,)))))), len(list(every(AllOf((a, Not(b))))))) == (1, 4, 4)


def test_a_list_that_is_not_here_is_an_error_and_never_a_no() -> None:
    with pytest.raises(MissingFileError, match="ids"):
        holds(text(Op.IN_FILE, "ids"), lambda _: [b"u"], None, Surroundings())


def test_a_condition_says_what_it_reads() -> None:
    condition = AllOf(
        (
            text(Op.IN_FILE, "gold", name="x-a"),
            AnyOf((text(Op.PRESENT, source=Source.COOKIE), text(Op.PRESENT, source=Source.QUERY))),
            Not(AllOf((text(Op.PRESENT, source=Source.METHOD), AddressTest(("::/0",)), ShareTest(1, "s")))),
            ModuloTest(Source.KEY, "", 2, (0,)),
        )
    )
    assert headers_read(condition) == {"x-a", "cookie", ":path", ":method", ":source"}
    assert headers_denied(condition) == {":method", ":source"}
    assert lists_read(condition) == {"gold"}
