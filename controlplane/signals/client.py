"""One scrape over HTTP: bounded in time and size. No redirect is followed, no proxy asked, no compression taken (a
small body that unpacks to a large one would cost more than it says)."""

from types import TracebackType

import aiohttp

TIMEOUT_S = 2.0
BYTES_MAX = 1_000_000
_HEADERS = {"accept": "text/plain; version=0.0.4", "accept-encoding": "identity", "user-agent": "serinus"}


class ScrapeClient:
    """An async context manager: one session for all scrapes."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def __aenter__(self) -> "ScrapeClient":
        # A connection each: servers that close an idle one in the moment of reuse would look away.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=self._timeout,
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def text(self, url: str) -> str | None:
        """The exposition; None for anything else than one whole 200 within the bounds."""
        body = bytearray()
        try:
            async with self._session.get(url, headers=_HEADERS, allow_redirects=False) as response:
                if response.status != 200:
                    return None
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > BYTES_MAX:
                        return None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return None
        return body.decode("utf-8", errors="replace")
