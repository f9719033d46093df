"""A leader's links, one to each shard node, made when they are needed.

Decides when a link is made anew: when it is lost, or its node has moved. Refuses to
know shards and sequences.
"""

import asyncio
from collections.abc import Callable, Collection

import grpc

from node.shards.link import ShardLink

OpenChannel = Callable[[str, str], grpc.aio.Channel]
"""Opens a channel to (address, node id)."""


class Links:
    """All links of one leader, by node; use them on the event loop, then `close`."""

    def __init__(self, open_channel: OpenChannel, *, connect_timeout_s: float) -> None:
        self._open_channel = open_channel
        self._connect_timeout_s = connect_timeout_s
        self._links: dict[str, ShardLink] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def to(self, node: str, address: str) -> ShardLink:
        """Return the link to a node, `nodes/NAME` at `host:port`."""
        known = self._links.get(node)
        if known is not None:
            if not known.is_lost and known.address == address:
                return known
            self._close(known)
        made = ShardLink(
            node,
            address,
            self._open_channel(address, node.removeprefix("nodes/")),
            connect_timeout_s=self._connect_timeout_s,
        )
        self._links[node] = made
        return made

    def close_absent(self, present: Collection[str]) -> None:
        """Close links to nodes that left, once no sequence uses them."""
        for node in set(self._links) - set(present):
            if self._links[node].is_idle:
                self._close(self._links.pop(node))

    def _close(self, link: ShardLink) -> None:
        task = asyncio.ensure_future(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every link."""
        links = list(self._links.values())
        self._links.clear()
        await asyncio.gather(*(link.close() for link in links), *self._closing)
