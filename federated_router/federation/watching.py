"""Reads a watch of the coordinator's: message by message, and never a dead one.

Decides when a silent stream is given up, and that an ended watch is always cancelled.
Refuses to know what the messages say.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

import grpc

from federated_router.kit.errors import Unavailable
from federated_router.kit.grpc_client import translated_errors

Message = TypeVar("Message")


async def messages_of(
    call: "grpc.aio.UnaryStreamCall[object, Message]", *, silence_s_max: float
) -> AsyncGenerator[Message, None]:
    """Yield the stream's messages; close it to end the call.

    Raises Unavailable after `silence_s_max` seconds without one, and the typed error
    of a call that failed.
    """
    try:
        async with translated_errors():
            while True:
                async with asyncio.timeout(silence_s_max):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                yield message
    except TimeoutError:
        raise Unavailable("The coordinator has fallen silent.") from None
    finally:
        # An abandoned call is never collected and its server never told.
        call.cancel()
