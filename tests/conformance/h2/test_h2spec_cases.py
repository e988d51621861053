"""h2spec's list of cases as tests of our own: all of it, wherever h2spec itself is not installed.

`COUNTS` is the list's table of contents. Where RFC 9113 leaves a choice h2spec accepts all of them; these tests ask for
the one that we made. Two cases of the preface (http2 3.5) are about what comes before the first frame.
"""

from collections import Counter

import pytest

from extproc.h2 import frames
from extproc.h2.errors import ErrorCode
from tests.conformance.h2.h2spec_generic import GENERIC
from tests.conformance.h2.h2spec_hpack import HPACK_ERRORS
from tests.conformance.h2.h2spec_http2 import HTTP2_TO_6_4
from tests.conformance.h2.h2spec_http2_more import HTTP2_FROM_6_5
from tests.conformance.h2.h2spec_words import Case
from tests.unit.extproc.h2.peer import Peer
from tests.unit.extproc.transport.own.call_client import Client

SECTIONS = {"generic": GENERIC, "http2": {**HTTP2_TO_6_4, **HTTP2_FROM_6_5}, "hpack": HPACK_ERRORS}
CASES = {f"{section} {number}": case for section, cases in SECTIONS.items() for number, case in cases.items()}
PREFACE = ("http2 3.5/1", "http2 3.5/2")
# How many cases each paragraph of the list has (h2spec 2.6 with the second case of hpack 2.3.3 that came later).
COUNTS = {
    "generic": "1:1 2:5 3.1:3 3.2:3 3.3:5 3.4:1 3.5:1 3.7:1 3.8:1 3.9:2 3.10:2 4:4 5:15",
    "http2": "3.5:2 4.1:3 4.2:3 4.3:3 5.1:13 5.1.1:2 5.1.2:1 5.3.1:2 5.4.1:2 5.5:2 6.1:3 6.2:4 6.3:2 6.4:3 6.5:3 "
    "6.5.2:5 6.5.3:2 6.7:4 6.8:1 6.9:3 6.9.1:3 6.9.2:3 6.10:6 7:2 8.1:1 8.1.2:1 8.1.2.1:4 8.1.2.2:2 8.1.2.3:7 "
    "8.1.2.6:2 8.2:1",
    "hpack": "2.3.3:2 4.2:1 5.2:3 6.1:1 6.3:1",
}


def listed() -> Counter[str]:
    """Every number of the list."""
    return Counter(
        f"{section} {paragraph}/{number}"
        for section, contents in COUNTS.items()
        for paragraph, count in (entry.split(":") for entry in contents.split())
        for number in range(1, int(count) + 1)
    )


def test_every_number_of_the_list_has_a_case() -> None:
    assert Counter([*CASES, *PREFACE]) == listed()
    assert listed().total() == 147


@pytest.mark.parametrize("number", CASES)
def test_case(number: str) -> None:
    client, case = Client(), CASES[number]
    heard = []
    for piece in case.sent:
        client.says(piece)
        heard += client.hears()
    case.demand(heard, client)


@pytest.mark.parametrize("number", [number for number, case in CASES.items() if len(case.sent) > 1])
def test_case_that_comes_in_one_read(number: str) -> None:
    """As the network may put the frames together."""
    client, case = Client(), Case(CASES[number].title, (b"".join(CASES[number].sent),), CASES[number].demand)
    client.says(*case.sent)
    case.demand(client.hears(), client)


def test_http2_3_5_1_our_preface_is_settings() -> None:
    first, *_ = Peer(greets=False).hears()
    assert (first.kind, first.flags) == (frames.SETTINGS, 0)


def test_http2_3_5_2_an_invalid_preface_ends_the_connection() -> None:
    Peer(greets=False).refused(ErrorCode.PROTOCOL_ERROR, b"INVALID CONNECTION PREFACE\r\n\r\n")
