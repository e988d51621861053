"""Rules about what files say. Each takes a file's name and text and returns faults with the fix in the message.

Forbidden words are put together from parts: this file is checked too.
"""

import re
from collections.abc import Callable, Iterator

Rule = Callable[[str, str], Iterator[str]]

# A registry belongs to the machine's configuration: naming one breaks everyone behind a mirror.
_REGISTRY_HOSTS = (
    ("pypi", "org"),
    ("files", "pythonhosted", "org"),
    ("registry", "npmjs", "org"),
    ("crates", "io"),
    ("proxy", "golang", "org"),
    ("repo", "maven", "apache", "org"),
    ("deb", "debian", "org"),
    ("archive", "ubuntu", "com"),
)
_REGISTRIES = re.compile("|".join(r"\.".join(parts) for parts in _REGISTRY_HOSTS))
_MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users)/[\w.-]+")
_UNFINISHED = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
_QUIET_SKIPS = re.compile(
    r"pytest\.(?:skip|importorskip|xfail)\b|pytest\.mark\.(?:skip|skipif|xfail)\b|unittest\.skip|\bSkipTest\b"
)
_MOCKS = re.compile(r"unittest\.mock|from unittest import mock|\bmonkeypatch\.setattr\b|\bmocker\b")


def registry_hosts(name: str, text: str) -> Iterator[str]:
    """No package registry by name."""
    return _each(name, text, _REGISTRIES, "leave it out: pip and apt know their registry from the machine")


def machine_paths(name: str, text: str) -> Iterator[str]:
    """No path of somebody's machine."""
    return _each(name, text, _MACHINE_PATHS, "use a path relative to the repository, or a temporary one")


def unfinished(name: str, text: str) -> Iterator[str]:
    """No note to oneself."""
    return _each(name, text, _UNFINISHED, "do it now, or write down what is missing in the README's limits")


def quiet_skips(name: str, text: str) -> Iterator[str]:
    """Skips are loud and counted."""
    if name == "tests/skips.py" or name.startswith("tests/house/"):
        return iter(())
    return _each(name, text, _QUIET_SKIPS, "call tests.skips.skip(reason, next_step=…), which prints and counts")


def mocks(name: str, text: str) -> Iterator[str]:
    """No patched modules."""
    if name.startswith("tests/house/"):
        return iter(())
    return _each(name, text, _MOCKS, "give the code a port and use the shipped in-memory fake")


def _each(name: str, text: str, pattern: re.Pattern[str], fix: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if found := pattern.search(line):
            yield f"{name}:{number}: {found[0]!r}; next: {fix}"


PYTHON_RULES: tuple[Rule, ...] = (unfinished, quiet_skips, mocks)
EVERY_FILE_RULES: tuple[Rule, ...] = (registry_hosts, machine_paths)
