"""What lies between sidecars and control planes: it loses, delays, doubles, reorders and cuts."""

import heapq
from collections.abc import Iterator

from serinus.v1 import outcomes_pb2
from tests.sim.proxy import Proxy
from tests.sim.weather import Weather

CALM_MS_MAX = 300


class Network:
    def __init__(self, weather: Weather, proxies: list[Proxy]) -> None:
        self._weather, self._proxies = weather, proxies
        self._cut: set[int] = set()
        self._mail: list[tuple[int, int, int, outcomes_pb2.Batch, int]] = []
        self._posted = 0

    def change(self, *, is_calm: bool) -> None:
        if is_calm:
            self._cut = set()
            return
        draw, share = self._weather.random.random, self._weather.cut_share
        self._cut = {n for n in range(len(self._proxies)) if share and draw() < (0.7 if n in self._cut else share)}

    def is_cut(self, proxy: Proxy) -> bool:
        return proxy.number in self._cut

    def post(self, proxy: Proxy, item: outcomes_pb2.Batch, at_ms: int, *, is_calm: bool) -> None:
        weather = self._weather
        if is_calm:
            self._send(proxy, item, at_ms, weather.random.randint(1, CALM_MS_MAX))
            return
        if proxy.number in self._cut:
            weather.met["partition"] += 1
        elif not weather.comes(weather.loss, "message lost"):
            for _ in range(2 if weather.comes(weather.double_share, "message twice") else 1):
                self._send(proxy, item, at_ms, weather.random.randint(1, weather.late_ms))

    def _send(self, proxy: Proxy, item: outcomes_pb2.Batch, at_ms: int, delay_ms: int) -> None:
        if delay_ms > 1_000:
            self._weather.met["message late by > 1 s"] += 1
        self._posted += 1
        heapq.heappush(self._mail, (at_ms + delay_ms, self._posted, proxy.number, item, proxy.epoch))

    def due(self, until_ms: int) -> Iterator[tuple[int, Proxy, outcomes_pb2.Batch]]:
        """In the order of arrival. What a killed sidecar had sent is gone with its connection."""
        while self._mail and self._mail[0][0] <= until_ms:
            at_ms, _, number, item, epoch = heapq.heappop(self._mail)
            proxy = self._proxies[number]
            if epoch != proxy.epoch:
                continue
            if item.seq < proxy.sent:
                self._weather.met["message overtaken"] += 1
            proxy.sent = max(proxy.sent, item.seq)
            yield at_ms, proxy, item
