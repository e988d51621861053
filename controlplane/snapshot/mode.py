"""The two ways in which a proxy may ask for its resources."""

from enum import StrEnum


class Mode(StrEnum):
    """State of the world: every response of a type tells all of it. Incremental: only what has changed."""

    SOTW = "sotw"
    DELTA = "delta"
