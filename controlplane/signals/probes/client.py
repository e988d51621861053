"""Asks one dependency once: bounded in time and in what is read; no redirect is followed, no proxy asked."""

import asyncio
import contextlib
import os
import ssl
import time

import aiohttp

from controlplane.manifest.probe import Probe
from controlplane.signals.probes.book import Answer


async def ask(probe: Probe, headers: dict[str, str]) -> Answer:
    """Never raises for what a server or the network does. A fault holds no word of the other side's."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(probe.timeout_ms / 1_000):
            fault = await (_connect(probe) if probe.tcp is not None else _get(probe, headers))
    except TimeoutError:
        fault = f"no answer within {probe.timeout_ms / 1_000:g} s"
    except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError):
        fault = "its certificate is not valid here"
    except aiohttp.ClientConnectorError as error:
        fault = _words(error.os_error)
    except OSError as error:
        fault = _words(error)
    except (aiohttp.ClientError, ValueError) as error:
        # The words of these may repeat the request, which may hold a credential.
        fault = type(error).__name__
    return Answer(fault, time.monotonic() - began)


def _words(error: OSError) -> str:
    """The system's: asyncio's own repeat the address."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or "cannot connect"


async def _connect(probe: Probe) -> str:
    assert probe.tcp is not None, "asked before"
    _, writer = await asyncio.open_connection(probe.tcp.host, probe.tcp.port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


async def _get(probe: Probe, headers: dict[str, str]) -> str:
    assert probe.url is not None, "asked before"
    async with (
        aiohttp.ClientSession(trust_env=False, auto_decompress=False) as session,
        session.get(probe.url, headers={"user-agent": "serinus", **headers}, allow_redirects=False) as answer,
    ):
        return f"it answered {answer.status}" if answer.status >= 400 else ""
