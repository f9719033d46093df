"""Two nodes, one answer: the first to begin is relayed, the other is cancelled."""

import asyncio

from federated_router.proxy.relay import Relay


async def begins_within(relay: Relay, wait_s: float) -> bool:
    """Return whether text, the last event or an error came in time."""
    done, _ = await asyncio.wait({relay.stream.begun}, timeout=wait_s)
    return bool(done)


async def first_of(relay: Relay, rival: Relay) -> tuple[Relay, Relay]:
    """Return the relay that began first, and the other, whatever it does.

    One that failed has begun only where the other failed as well.
    """
    both = {relay.stream.begun, rival.stream.begun}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    pair = (relay, rival) if relay.stream.begun.done() else (rival, relay)
    if not pair[0].stream.failed:
        return pair
    await asyncio.wait({pair[1].stream.begun})
    return pair if pair[1].stream.failed else (pair[1], pair[0])
