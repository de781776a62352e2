"""gRPC clients: bytes in, bytes out, a connection each."""

import asyncio
import time

import grpc

from benchmarks.serving.script import Script

# Without it, channels to one address share a connection.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


async def run(script: Script, port: int) -> None:
    """Run the script over as many connections as it has clients; returns when each has its last answer."""
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) for _ in range(script.clients)]
    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        await asyncio.gather(*(_client(script, channel) for channel in channels))
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


async def _client(script: Script, channel: grpc.aio.Channel) -> None:
    score = channel.unary_unary("/semsim.v1.Scorer/Score")
    first = goes_on = True
    while goes_on:
        index = script.next()
        sent = time.perf_counter()
        answer = await score(script.requests[index])
        goes_on = script.answered(index, sent, answer, first)
        first = False
