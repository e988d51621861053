"""Regular expressions of cohort rules: RE2, as in Envoy and in the sidecar. Linear time whatever the pattern and text.

Checked where a manifest is read, so that no sidecar ever has to refuse one.
"""

import re2

# What one compiled pattern and its automaton may take. RE2's own default is 8 MiB; a hundred rules would be 800 MiB.
MEMORY_BYTES_MAX = 1 << 20


def _options() -> "re2.Options":
    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.never_capture = True
    options.log_errors = False
    return options


_OPTIONS = _options()


def fault_of(pattern: str) -> str:
    """What is wrong with a pattern; "" for nothing."""
    try:
        re2.compile(pattern.encode(), _OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else "not a regular expression"
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return ""


def matches(pattern: str, text: bytes) -> bool:
    """Whether all of the text meets the pattern. Raises re2.error for a pattern with a fault."""
    return re2.compile(pattern.encode(), _OPTIONS).fullmatch(text) is not None


def program_size(pattern: str) -> int:
    """How many instructions a pattern without a fault compiles to: what Envoy bounds."""
    return int(re2.compile(pattern.encode(), _OPTIONS).programsize)
