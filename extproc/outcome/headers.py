"""What the headers of an observed response say of its body."""

from collections.abc import Callable, Sequence

HeaderLookup = Callable[[str], Sequence[bytes]]


def one(headers: HeaderLookup, name: str) -> bytes:
    """The first value of a name; empty if there is none."""
    values = headers(name)
    return values[0].strip() if values else b""


def media_type(headers: HeaderLookup) -> bytes:
    """Without its parameters, in lower case."""
    return one(headers, "content-type").partition(b";")[0].strip().lower()


def coding_of(headers: HeaderLookup) -> bytes:
    """The content coding in lower case; empty for none."""
    coding = one(headers, "content-encoding").lower()
    return b"" if coding == b"identity" else coding
