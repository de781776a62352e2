"""As many connections as a script has clients, whatever protocol they speak."""

import asyncio
from collections.abc import Callable

from benchmarks.serving.script import Script


async def connect_all(
    script: Script, port: int, make: Callable[[Script, "asyncio.Future[None]"], asyncio.Protocol]
) -> None:
    """Connect clients, each with a future that it ends when it is done, or failed; close them when all are."""
    loop = asyncio.get_running_loop()
    done = [loop.create_future() for _ in range(script.clients)]
    transports = []
    for future in done:
        client = make(script, future)
        transport, _ = await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        transports.append(transport)
    try:
        await asyncio.gather(*done)
    finally:
        for transport in transports:
            transport.close()
