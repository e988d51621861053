"""The connections between proxies and control planes, which carry xDS: in order, late, at times not at all.

A connection is TCP's: nothing on it is lost, doubled or overtaken. A partition holds everything up; a break ends the stream
at both ends, and the proxy connects anew in its next second, to whichever control plane there is.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controlplane.snapshot.resource import CLUSTER
from tests.sim.plane import Plane
from tests.sim.proxy import Proxy
from tests.sim.seat import Seat
from tests.sim.weather import Weather

# A stream that is held up tries again so often.
HELD_MS = 500


@dataclass(slots=True)
class _Link:
    stream_id: int
    seat: Seat
    plane: Plane
    last_ms: dict[bool, int] = field(default_factory=dict)  # by direction: when what was sent last arrives
    # By direction, in the order in which it was sent: whatever arrives is the oldest, also after it was held up.
    sent: dict[bool, deque[Any]] = field(default_factory=lambda: {True: deque(), False: deque()})


class Links:
    """`is_cut`: whether a proxy is partitioned from all control planes now."""

    def __init__(
        self, weather: Weather, proxies: list[Proxy], seats: list[Seat], is_cut: Callable[[Proxy], bool]
    ) -> None:
        self._weather, self._proxies, self._seats, self._is_cut = weather, proxies, seats, is_cut
        self._links: dict[int, _Link] = {}  # by proxy number
        self._mail: list[tuple[int, int, int, int, bool]] = []
        self._ids, self._posted = itertools.count(1), itertools.count()

    def change(self, now_ms: int, *, is_calm: bool) -> None:
        """The faults of a second; and who has no connection gets one, where there is a control plane."""
        for proxy in self._proxies:
            link, weather = self._links.get(proxy.number), self._weather
            if (link is not None and self._has_ended(link, is_calm=is_calm)) or (
                link is not None and not is_calm and weather.comes(weather.break_share, "xds stream broken")
            ):
                self._end(proxy.number)
            if proxy.number not in self._links and not self._is_cut(proxy):
                self._connect(proxy, now_ms, is_calm=is_calm)

    def _has_ended(self, link: _Link, *, is_calm: bool) -> bool:
        """Its control plane is another process by now; in calm weather also, it stands still, which a ping tells."""
        return link.seat.plane is not link.plane or (is_calm and link.seat.is_stalled)

    def _connect(self, proxy: Proxy, now_ms: int, *, is_calm: bool) -> None:
        # In calm weather it is led to one that answers.
        seats = [each for each in self._seats if each.is_ready] if is_calm else self._seats
        seat = self._weather.random.choice(seats or self._seats)
        if seat.plane is None or not seat.is_ready:
            return
        link = self._links[proxy.number] = _Link(next(self._ids), seat, seat.plane)
        if proxy.envoy.held:
            self._weather.met["xds reconnect"] += 1
        link.plane.streams.open(link.stream_id, proxy.envoy.mode)
        for request in proxy.envoy.opens():
            self._send(proxy, link, request, now_ms, to_plane=True, is_calm=is_calm)

    def _end(self, number: int) -> None:
        link = self._links.pop(number)
        link.plane.streams.close(link.stream_id)

    def flush(self, seat: Seat, now_ms: int, *, is_calm: bool) -> None:
        """What a control plane has to send goes on its way."""
        if seat.plane is None:
            return
        outbox, seat.plane.streams.outbox = seat.plane.streams.outbox, []
        by_id = {link.stream_id: number for number, link in self._links.items()}
        for stream_id, send in outbox:
            if stream_id in by_id:
                number = by_id[stream_id]
                self._send(self._proxies[number], self._links[number], send, now_ms, to_plane=False, is_calm=is_calm)

    def _send(self, proxy: Proxy, link: _Link, item: Any, now_ms: int, *, to_plane: bool, is_calm: bool) -> None:
        random, weather = self._weather.random, self._weather
        delay_ms = random.randint(1, 50 if is_calm else max(50, weather.late_ms // 4))
        is_answer = to_plane and getattr(item, "type_url", "") == CLUSTER
        if is_answer and not is_calm and weather.comes(weather.cold_share, "clusters warm slowly"):
            delay_ms += random.randint(500, 3_000)
        at_ms = max(now_ms + delay_ms, link.last_ms.get(to_plane, 0))
        link.last_ms[to_plane] = at_ms
        link.sent[to_plane].append(item)
        heapq.heappush(self._mail, (at_ms, next(self._posted), proxy.number, link.stream_id, to_plane))

    def deliver(self, until_ms: int, applied: Callable[[Proxy], None], *, is_calm: bool) -> None:
        """`applied`: a proxy has taken something in."""
        while self._mail and self._mail[0][0] <= until_ms:
            at_ms, order, number, stream_id, to_plane = heapq.heappop(self._mail)
            link, proxy = self._links.get(number), self._proxies[number]
            if link is None or link.stream_id != stream_id:
                continue
            if self._is_cut(proxy) or (to_plane and link.seat.is_stalled):
                # The whole stream waits, in its order.
                heapq.heappush(self._mail, (at_ms + HELD_MS, order, number, stream_id, to_plane))
                continue
            item = link.sent[to_plane].popleft()
            if link.seat.plane is not link.plane:
                continue
            if to_plane:
                link.plane.streams.now_ms = at_ms
                link.plane.streams.request(stream_id, item)
                self.flush(link.seat, at_ms, is_calm=is_calm)
                continue
            for answer in proxy.envoy.takes(item):
                self._send(proxy, link, answer, at_ms, to_plane=True, is_calm=is_calm)
            applied(proxy)
