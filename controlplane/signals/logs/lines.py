"""Bytes into lines, and lines into counts by pattern. Pure. Nothing of a line outlives its counting."""

from collections.abc import Iterable, Sequence

import re2

from controlplane.manifest.regex import MEMORY_BYTES_MAX

# Of a longer line the beginning is looked at: a traceback's lines have 200 bytes; a whole prompt is no error.
LINE_BYTES_MAX = 8_192


class Lines:
    """Puts the pieces of a log together. Mutable; holds one unfinished line at most."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_long = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that ended in this piece, in order, each with its first LINE_BYTES_MAX."""
        *whole, rest = piece.split(b"\n")
        if not whole:
            self._keep(rest)
            return []
        first = b"" if self._is_long else whole[0]
        lines = [(self._rest + first)[:LINE_BYTES_MAX], *(line[:LINE_BYTES_MAX] for line in whole[1:])]
        self._rest, self._is_long = b"", False
        self._keep(rest)
        return lines

    def _keep(self, rest: bytes) -> None:
        self._rest += rest[: LINE_BYTES_MAX - len(self._rest)]
        self._is_long = len(self._rest) >= LINE_BYTES_MAX


class Matcher:
    """All patterns of a version in one pass, in time linear in the line (RE2's set)."""

    def __init__(self, patterns: Sequence[tuple[str, str]]) -> None:
        """`patterns`: name and regular expression, checked already."""
        options = re2.Options()
        options.max_mem = MEMORY_BYTES_MAX * max(len(patterns), 1)
        options.never_capture = True
        options.log_errors = False
        # Logs are bytes: what is no UTF-8 must not hide the rest of its line.
        options.encoding = re2.Options.Encoding.LATIN1
        self._names = [name for name, _ in patterns]
        self._set = re2.Set.SearchSet(options)
        for _, regex in patterns:
            self._set.Add(regex.encode())
        self._set.Compile()

    def counts(self, lines: Iterable[bytes]) -> dict[str, int]:
        """How many lines each pattern was found in; those of none are left out."""
        found: dict[str, int] = {}
        for line in lines:
            # None where nothing was found.
            for index in self._set.Match(line) or ():
                name = self._names[index]
                found[name] = found.get(name, 0) + 1
        return found
