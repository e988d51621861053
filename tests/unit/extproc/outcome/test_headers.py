from collections.abc import Sequence

import pytest

from extproc.outcome.headers import coding_of, media_type, one


def lookup(name: str) -> Sequence[bytes]:
    return {"content-type": [b" Text/Event-Stream ; charset=utf-8"], "content-encoding": [b" BR"]}.get(name, ())


def test_names_are_without_parameters_and_in_lower_case() -> None:
    assert (media_type(lookup), coding_of(lookup), one(lookup, "x-other")) == (b"text/event-stream", b"br", b"")


@pytest.mark.parametrize("values", [[], [b""], [b"identity"], [b" Identity "]])
def test_no_coding_is_none(values: list[bytes]) -> None:
    assert coding_of(lambda _: values) == b""
