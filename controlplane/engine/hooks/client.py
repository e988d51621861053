"""Hooks over HTTP: one request each, bounded in time and in what is read; no redirect is followed, no proxy asked."""

import aiohttp

from controlplane.engine.hooks.calls import HookCall, HookReply

# A sentence is made of it.
REPLY_BYTES_MAX = 1_024


class HookClient:
    async def call(self, call: HookCall, /) -> HookReply:
        timeout = aiohttp.ClientTimeout(total=call.timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.post(call.url, data=call.body, headers=call.headers, allow_redirects=False) as response,
            ):
                head = await response.content.read(REPLY_BYTES_MAX)
                return HookReply(response.status, head.decode(errors="replace"))
        except TimeoutError:
            return HookReply(0, f"none within {call.timeout_s:g} s")
        except aiohttp.ClientConnectorError as error:
            return HookReply(0, f"cannot connect: {error.os_error.strerror or 'unknown reason'}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The words of these may repeat the request, which holds the credential.
            return HookReply(0, type(error).__name__)
