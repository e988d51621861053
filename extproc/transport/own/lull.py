"""How long a connection is left alone that only tells us things (bodies under observation). Pure.

Many pieces then cost one waking up: a thousand tokens a second, one a read, took 3 % of a core more. By as much, at
most, an observed first token seems to come later, of every version alike; the user waits for nothing of it. So lulls
are short while a stream is young: what it shows first is then told to within 5 ms, and to within 8 % if it comes later.
"""

LULL_S = 0.02
LULL_OF_THE_YOUNG_S = 0.005
YOUNG_S = 0.25


class Lulls:
    """Mutable; one per connection."""

    __slots__ = ("_young_until_s",)

    def __init__(self) -> None:
        self._young_until_s = 0.0

    def next_s(self, now_s: float, *, has_begun: bool) -> float:
        """Behind a read; `has_begun`: some stream began in it. `now_s` is any monotonic time."""
        if has_begun:
            self._young_until_s = now_s + YOUNG_S
        return LULL_OF_THE_YOUNG_S if now_s < self._young_until_s else LULL_S
