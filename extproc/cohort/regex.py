"""Regular expressions of cohort rules: RE2, as in Envoy and in the control plane. Linear time whatever the text."""

from collections.abc import Callable

import re2

# The control plane's own bound: what it accepts must be accepted here.
MEMORY_BYTES_MAX = 1 << 20


class BadRegexError(ValueError):
    """RE2 cannot read it."""


def _options() -> "re2.Options":
    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.never_capture = True
    options.log_errors = False
    return options


_OPTIONS = _options()


def compiled(pattern: str) -> Callable[[bytes], bool]:
    """A test of all of a text. Raises BadRegexError."""
    try:
        match = re2.compile(pattern.encode(), _OPTIONS).fullmatch
    except re2.error as error:
        raise BadRegexError(str(error)) from None
    return lambda text: match(text) is not None


def matches(pattern: str, text: bytes) -> bool:
    """The same without keeping anything: for the reference."""
    return compiled(pattern)(text)
