"""Live sections: each is made once for all open pages that show it, and sent to those that have an older one.

A page waits for its channel; one that is slow gets the newest when it comes, never a queue. Making sections is kept to
a share of the processor, but for a channel whose subject has moved (`urgent`), which is made at once.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass, field

log = logging.getLogger("serinus.dashboard")

# Open pages of one control plane. Each is a task and a socket; past this a page stands still and says so.
FOLLOWERS_MAX = 200
# At most so often, however much happens; a person does not read faster.
EVERY_S = 0.5
# Of one core, for what is not urgent.
SHARE_MAX = 0.05
# A proxy between may cut a stream that says nothing.
SILENCE_S = 15.0

Sections = dict[str, str]


@dataclass(slots=True)
class _Channel:
    """`urgent` was the subject's state when it was made; `versions`: of each section, counted up by changes."""

    make: Callable[[], Awaitable[Sections]]
    urgent: Callable[[], Hashable]
    followers: int = 0
    seen: Hashable = None
    sections: Sections = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    version: int = 0
    cost_s: float = 0.0
    made_s: float = 0.0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, made: Sections) -> None:
        changed = [name for name, text in made.items() if self.sections.get(name) != text]
        if changed:
            self.version += 1
            self.versions |= dict.fromkeys(changed, self.version)
            self.sections = made
            self.news.set()
            self.news = asyncio.Event()


class Feed:
    """`changed` returns at the next change of anything, or after the time it is given."""

    def __init__(
        self, changed: Callable[[float], Awaitable[None]], *, every_s: float = EVERY_S, silence_s: float = SILENCE_S
    ) -> None:
        self._changed, self._every_s, self._silence_s = changed, every_s, silence_s
        self._channels: dict[Hashable, _Channel] = {}
        self._followers = 0

    @property
    def is_full(self) -> bool:
        return self._followers >= FOLLOWERS_MAX

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.gather(self._changed(1.0), asyncio.sleep(self._every_s))
            for channel in list(self._channels.values()):
                await self._renew(channel)

    async def _renew(self, channel: _Channel) -> None:
        now_s, urgent = asyncio.get_running_loop().time(), channel.urgent()
        # All channels together take no more than the share: each waits as if the others cost what it does.
        rest_s = channel.cost_s * max(1, len(self._channels)) / SHARE_MAX
        if urgent == channel.seen and now_s - channel.made_s < rest_s:
            return
        try:
            made = await channel.make()
        except Exception as error:
            # Its subject may be gone; the page keeps what it shows.
            log.debug("a page's sections cannot be made: %s", error)
            return
        ended_s = asyncio.get_running_loop().time()
        channel.seen, channel.made_s, channel.cost_s = urgent, ended_s, ended_s - now_s
        channel.take(made)

    async def follow(
        self, key: Hashable, make: Callable[[], Awaitable[Sections]], urgent: Callable[[], Hashable]
    ) -> AsyncIterator[Sections]:
        """All sections, then those that have changed; {} when nothing has for `SILENCE_S`. Who follows checks
        `is_full` before."""
        channel = self._channels.setdefault(key, _Channel(make, urgent))
        channel.followers += 1
        self._followers += 1
        try:
            if not channel.sections:
                channel.seen, made = urgent(), await make()
                channel.take(made)
            version = 0
            while True:
                news, has = channel.news, channel.versions
                fresh = {name: text for name, text in channel.sections.items() if has.get(name, 0) > version}
                version = channel.version
                yield fresh
                if channel.version == version:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._silence_s):
                            await news.wait()
        finally:
            channel.followers -= 1
            self._followers -= 1
            if not channel.followers:
                self._channels.pop(key, None)
