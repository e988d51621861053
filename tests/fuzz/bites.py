"""Reads an input as decisions: numbers, choices and texts, one after the other; past the end all is 0 and empty."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Bites:
    """Mutable. `is_left`: there is more to read."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position
        self._end = len(data)

    @property
    def is_left(self) -> bool:
        return self._position < self._end

    def number(self) -> int:
        """0..255."""
        position = self._position
        if position >= self._end:
            return 0
        self._position = position + 1
        return self._data[position]

    def word(self) -> int:
        """0..65535."""
        return self.number() << 8 | self.number()

    def of(self, choices: Sequence[T]) -> T:
        return choices[self.number() % len(choices)]

    def text(self) -> bytes:
        """Up to 255 bytes behind their length."""
        return self.take(self.number())

    def take(self, size: int) -> bytes:
        """Up to `size` bytes."""
        start = self._position
        self._position = start + size
        return self._data[start : start + size]
