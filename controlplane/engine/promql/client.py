"""Asks a Prometheus: one request, bounded in time and in what is read; no redirect is followed, no proxy asked."""

import aiohttp

from controlplane.engine.promql.query import TIMEOUT_MS, Reply, reply_of

# A thousand series with their labels.
BODY_BYTES_MAX = 512 * 1024
PATH = "/api/v1/query"


async def ask(url: str, query: str, headers: dict[str, str]) -> Reply:
    """Never raises for what a server or the network does."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_MS / 1_000)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(url + PATH, data={"query": query}, headers=headers, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    return Reply(fault=f"the answer has more than {BODY_BYTES_MAX} bytes")
            return reply_of(answer.status, bytes(body))
    except TimeoutError:
        return Reply(fault=f"none within {TIMEOUT_MS / 1_000:g} s")
    except aiohttp.ClientConnectorError as error:
        return Reply(fault=f"cannot connect: {error.os_error.strerror or 'unknown reason'}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # The words of these may repeat the request, which holds the credential.
        return Reply(fault=type(error).__name__)
