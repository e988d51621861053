"""Windows in which a rollout's weight may not grow. They hold increases only, never a rollback. Pure."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from controlplane.manifest.cron import MINUTE_MS, latest_start, parse_cron, zone_of
from controlplane.manifest.field import Spec, TimerMs

# Longer is no window: a rollout that must not move is paused.
FREEZE_MS_MAX = 31 * 24 * 3_600_000


def _cron(text: object) -> object:
    parse_cron(text)
    return text


def _zone(name: object) -> object:
    zone_of(name)
    return name


def _bounded(for_ms: int) -> int:
    if not MINUTE_MS <= for_ms <= FREEZE_MS_MAX:
        raise ValueError("a freeze lasts from 1m to 744h (31 days)")
    return for_ms


class Freeze(Spec):
    """Begins at each time of `cron` by the clocks of `timezone`, which has no default, and lasts `for`."""

    cron: Annotated[str, BeforeValidator(_cron)]
    for_ms: Annotated[TimerMs, AfterValidator(_bounded)] = Field(alias="for")
    timezone: Annotated[str, BeforeValidator(_zone)]

    def until_ms(self, now_ms: int) -> int | None:
        """When the window ends in which a moment falls; None: it falls in none."""
        back = -(-self.for_ms // MINUTE_MS)
        start = latest_start(parse_cron(self.cron), zone_of(self.timezone), now_ms // MINUTE_MS, back)
        end_ms = start * MINUTE_MS + self.for_ms if start is not None else 0
        return end_ms if end_ms > now_ms else None
