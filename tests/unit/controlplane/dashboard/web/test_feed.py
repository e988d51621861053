"""Live sections: made once for all who follow, the newest for each."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from controlplane.dashboard.web.feed.runner import FOLLOWERS_MAX, Feed, Sections


class Subject:
    """What is shown, how often it was made, and a change that the test makes."""

    def __init__(self) -> None:
        self.sections: Sections = {"head": "a", "events": "a"}
        self.made = self.urgent = 0
        self._changed = asyncio.Event()

    async def make(self) -> Sections:
        self.made += 1
        return dict(self.sections)

    def change(self, **sections: str) -> None:
        self.sections |= sections
        self.urgent += 1
        self._changed.set()

    async def changed(self, timeout_s: float) -> None:
        await asyncio.wait_for(self._changed.wait(), timeout_s)
        self._changed.clear()


def followed(feed: Feed, subject: Subject, key: str = "page") -> AsyncGenerator[Sections, None]:
    return cast(Any, feed.follow(key, subject.make, lambda: subject.urgent))


def test_a_page_gets_all_sections_then_those_that_changed_and_a_hundred_pages_cost_one() -> None:
    async def story() -> None:
        subject = Subject()
        feed = Feed(subject.changed, every_s=0.01)
        running = asyncio.create_task(feed.run())
        pages = [followed(feed, subject) for _ in range(100)]
        assert await asyncio.gather(*(anext(page) for page in pages)) == [{"head": "a", "events": "a"}] * 100
        waiting = [asyncio.ensure_future(anext(page)) for page in pages]
        await asyncio.sleep(0)
        subject.change(head="b")
        assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [{"head": "b"}] * 100
        assert subject.made == 2
        for page in pages:
            await page.aclose()
        running.cancel()
        assert feed._channels == {}

    asyncio.run(story())


def test_a_page_that_is_slow_gets_the_newest_and_nothing_twice() -> None:
    async def story() -> None:
        subject = Subject()
        feed = Feed(subject.changed, every_s=0.01)
        running = asyncio.create_task(feed.run())
        async with aclosing(followed(feed, subject)) as slow, aclosing(followed(feed, subject)) as other:
            await anext(slow)
            await anext(other)
            for text in ("b", "c", "d"):
                subject.change(head=text)
                assert await asyncio.wait_for(anext(other), 5) == {"head": text}
            assert await anext(slow) == {"head": "d"}
        running.cancel()

    asyncio.run(story())


def test_what_cannot_be_made_leaves_the_page_as_it_is_and_the_others_go_on() -> None:
    async def story() -> None:
        subject = Subject()
        feed = Feed(subject.changed, every_s=0.01)
        running = asyncio.create_task(feed.run())
        broken = Subject()
        async with aclosing(followed(feed, broken, "broken")) as page, aclosing(followed(feed, subject)) as other:
            await anext(page)
            await anext(other)

            async def fails() -> Sections:
                raise ValueError("gone")

            feed._channels["broken"].make = fails
            broken.urgent += 1
            subject.change(head="b")
            assert await asyncio.wait_for(anext(other), 5) == {"head": "b"}
        running.cancel()

    asyncio.run(story())


def test_what_is_not_urgent_is_kept_to_a_share_of_the_processor() -> None:
    async def story() -> None:
        subject, loop = Subject(), asyncio.get_running_loop()

        async def slow() -> Sections:
            until = loop.time() + 0.02
            while loop.time() < until:
                pass
            return await subject.make()

        async def always(_: float) -> None: ...

        feed = Feed(always, every_s=0.01)
        running = asyncio.create_task(feed.run())
        async with aclosing(cast(Any, feed.follow("page", slow, lambda: 0))) as page:
            await anext(page)
            before, began = subject.made, loop.time()
            await asyncio.sleep(1.0)
            # 20 ms at 5 % is one in 400 ms; the first after the beginning is not held back.
            assert 1 <= subject.made - before <= 1 + (loop.time() - began) / 0.4 + 1
        running.cancel()

    asyncio.run(story())


def test_it_says_when_no_more_may_follow() -> None:
    async def story() -> None:
        subject = Subject()
        feed = Feed(subject.changed, every_s=0.01)
        pages = [followed(feed, subject) for _ in range(FOLLOWERS_MAX)]
        for page in pages:
            assert not feed.is_full
            await anext(page)
        assert feed.is_full
        await pages[0].aclose()
        assert not feed.is_full
        for page in pages:
            await page.aclose()

    asyncio.run(story())
