"""The shards of one model as a leader knows them: who is there, and how far away.

Decides which shards may be used: those that the router lists, that fit this model by
digest, and that answered when they were last measured. Refuses to know answers in the
making and how a chain is chosen among the shards.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import grpc

from federated_router.api.v1 import registry_pb2, registry_pb2_grpc
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FederationError, ShardsMissing
from federated_router.kit.log import get_logger
from node.shards.layers import LayerRange
from node.shards.link import ShardLink
from node.shards.links import Links, OpenChannel
from node.shards.listing import is_same, listed_shards, shard_at
from node.shards.planning import Chain, ShardAt, fastest_chain
from node.shards.reach import Reach

log = get_logger("pipeline")
_MEASURED_AT_ONCE = 16
_FIRST_CALLS = 3
_LOOKS_PER_INTERVAL = 4


@dataclass(frozen=True, slots=True)
class PipelineTerms:
    """What a leader demands of shards, and how long it waits for anything.

    `model` is `models/NAME`; `digest` and `layers` are those of its own directory.
    """

    model: str
    digest: str
    layers: int
    interval_s: float
    connect_timeout_s: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sequence needs of a chain: room for `tokens`, none of the `avoided`.

    Shards that are not `kept` cost it `change_ms` once.
    """

    tokens: int
    avoided: frozenset[tuple[str, LayerRange]] = frozenset()
    kept: frozenset[tuple[str, LayerRange]] = frozenset()
    change_ms: float = 0.0


class Directory:
    """Keeps the view fresh while `run` runs; `close` ends every link."""

    def __init__(
        self,
        terms: PipelineTerms,
        *,
        router: grpc.aio.Channel,
        open_channel: OpenChannel,
        clock: Clock,
    ) -> None:
        self._terms = terms
        self._router = router
        self._registry = registry_pb2_grpc.NodeRegistryServiceStub(router)
        self._clock = clock
        self._shards: tuple[ShardAt, ...] = ()
        self._foreign: set[str] = set()
        self._weight_bytes: dict[str, int] = {}
        self._reach = Reach(pause_s=terms.interval_s)
        self._links = Links(open_channel, connect_timeout_s=terms.connect_timeout_s)
        self._changed = asyncio.Event()
        self._asked = asyncio.Event()

    @property
    def link_ms(self) -> Mapping[str, float]:
        """Return the milliseconds there and back, by node."""
        return self._reach.link_ms

    @property
    def weight_bytes(self) -> Mapping[str, int]:
        """Return the memory of the weights of each node's layers."""
        return self._weight_bytes

    async def run(self) -> None:
        """Look for shards for ever, at intervals, and sooner where one was lost."""
        while True:
            self._asked.clear()
            try:
                await self.look()
            except FederationError as error:
                log.warning("shards not listed", reason=error.reason)
            except Exception as error:
                # A leader that has stopped looking would never find a shard again.
                log.exception("looking for shards failed", exc_info=error)
            await self._pause()

    async def _pause(self) -> None:
        """Wait for the interval, or where somebody asks for a part of it."""
        for _ in range(_LOOKS_PER_INTERVAL):
            await self._clock.sleep(self._terms.interval_s / _LOOKS_PER_INTERVAL)
            if self._asked.is_set():
                return

    async def look(self) -> None:
        """List the shards and measure them, side by side.

        Raises:
            FederationError: the router does not answer.
        """
        terms = self._terms
        found = listed_shards(
            self._registry, terms.model, timeout_s=terms.connect_timeout_s
        )
        listed = [shard async for shard in found if self._fits(shard)]
        gate = asyncio.Semaphore(_MEASURED_AT_ONCE)
        await asyncio.gather(*(self._measure(one, gate) for one in listed))
        self._shards = tuple(shard_at(one) for one in listed)
        present = {shard.node for shard in self._shards}
        self._reach.keep_only(present)
        self._links.close_absent(present)
        for node in set(self._weight_bytes) - present:
            del self._weight_bytes[node]
        self._changed.set()

    def _fits(self, shard: registry_pb2.Shard) -> bool:
        offer = shard.offer
        fits = (
            offer.model_digest == self._terms.digest
            and offer.end_layer <= self._terms.layers
        )
        if fits:
            self._foreign.discard(shard.node)
        elif shard.node not in self._foreign:
            self._foreign.add(shard.node)
            log.warning("shard of another model", node=shard.node, model=offer.model)
        return fits

    async def _measure(
        self, shard: registry_pb2.Shard, gate: asyncio.Semaphore
    ) -> None:
        """Note how far a shard is, or that it does not answer as it is listed."""
        node = shard.node
        if self._reach.is_paused(node, now_s=self._clock.monotonic_s()):
            return
        link = self._links.to(node, shard.address)
        try:
            async with gate:
                response, took_ms = await link.measure(
                    self._terms.model,
                    calls=1 if node in self._reach.link_ms else _FIRST_CALLS,
                    timeout_s=self._terms.connect_timeout_s,
                )
        except FederationError as error:
            if self._reach.unreached(node):
                log.info("shard not reached", node=node, reason=error.reason)
            return
        if not is_same(response.offer, shard.offer):
            self._reach.unreached(node)
            return
        self._reach.reached(node, took_ms)
        self._weight_bytes[node] = response.weight_bytes

    async def chain(self, wish: Wish) -> Chain:
        """Return the fastest chain; wait for one where there is none.

        Raises:
            ShardsMissing: there was none within the configured time.
        """
        try:
            async with asyncio.timeout(self._terms.wait_s):
                while True:
                    self._changed.clear()
                    found = self.chain_now(wish)
                    if found is not None:
                        return found
                    self._asked.set()
                    await self._changed.wait()
        except TimeoutError:
            raise missing(self._terms.model) from None

    def chain_now(self, wish: Wish) -> Chain | None:
        """Return the fastest chain of this moment, if there is one."""
        able = [
            shard
            for shard in self._shards
            if shard.context_tokens_max >= wish.tokens
            and shard.place not in wish.avoided
        ]
        return fastest_chain(
            able,
            layers=self._terms.layers,
            link_ms=self._reach.link_ms,
            kept=wish.kept,
            change_ms=wish.change_ms,
        )

    def link(self, node: str, address: str) -> ShardLink:
        """Return the link to a node."""
        return self._links.to(node, address)

    def lost(self, node: str) -> None:
        """Use no shard of the node for a while."""
        self._reach.lost(node, now_s=self._clock.monotonic_s())
        self._asked.set()

    def worked(self, node: str) -> None:
        """Note that an answer went through the node."""
        self._reach.worked(node)

    async def close(self) -> None:
        """End every link, and the connection to the router."""
        await self._links.close()
        await self._router.close(grace=None)


def missing(model: str) -> ShardsMissing:
    """Return what a request is told that finds no chain."""
    return ShardsMissing(
        "The shards that can be reached do not make up the model; ask another node.",
        metadata={"model": model},
        retry_after_s=1.0,
    )
