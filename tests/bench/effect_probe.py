"""Users at several gateways, in a process of their own: each asks again and again, and every change of version is told.

`python -m tests.bench.effect_probe PORT…` prints a JSON line for each change at a gateway: when the last request with
the old version began, and the first with the new one. Times are of the monotonic clock, which all processes of a machine
share. A request that fails is told too. Ends when its standard input does.
"""

import asyncio
import json
import sys
import time

import aiohttp


async def _probe(session: aiohttp.ClientSession, port: int) -> None:
    last_version, last_began_s = "", 0.0
    while True:
        began_s = time.monotonic()
        async with session.get(f"http://127.0.0.1:{port}/", headers={"x-user-id": "probe"}) as response:
            await response.read()
            version = response.headers.get("x-serinus-version", "")
            if response.status != 200:
                _tell({"port": port, "failed": response.status})
        if version != last_version and last_version:
            _tell({"port": port, "version": version, "last_old_s": last_began_s, "first_new_s": began_s})
        last_version, last_began_s = version, began_s


def _tell(event: dict[str, object]) -> None:
    print(json.dumps(event), flush=True)


async def _main(ports: list[int]) -> None:
    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.create_task(_probe(session, port)) for port in ports]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(_main([int(port) for port in sys.argv[1:]]))
