"""One sequence on its way through the shards, whatever becomes of them.

Decides how an answer goes on when a shard is lost: another chain is planned, kept
shards go on where they are, and a new one is sent everything that came before its
layers, so that its keys and values are those of the lost one. Refuses to know tokens
and sampling. After Petals (Borzunov et al., 2023): the leader keeps the inputs of every
shard, and servers keep nothing that could not be made again.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from federated_router.kit.errors import FederationError
from federated_router.kit.log import get_logger
from node.shards.directory import Directory, Wish
from node.shards.history import History
from node.shards.hops import TAKEN, Hop, HopLost, SessionTerms, refusal_of
from node.shards.layers import LayerRange
from node.shards.metrics import HISTORY_BYTES, REPLACEMENTS, REPLAYED
from node.shards.planning import Chain, ShardAt

log = get_logger("pipeline")


@dataclass(slots=True, eq=False)
class Session:
    """A sequence of at most `tokens_max` positions; whoever made it owes it `close`.

    `inputs` holds, by layer, what went into the shard that begins there. Shards that
    refused the sequence are not asked again; those that fell silent only if need be.
    """

    directory: Directory
    terms: SessionTerms
    tokens_max: int
    _hops: list[Hop] = field(default_factory=list)
    _inputs: dict[int, History] = field(default_factory=dict)
    _refused: set[tuple[str, LayerRange]] = field(default_factory=set)
    _doubted: set[tuple[str, LayerRange]] = field(default_factory=set)
    _replacements: int = 0
    _counted_bytes: int = 0
    _last: torch.Tensor | None = None

    async def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Run the next positions (n, width); return the last one's states (1, width).

        Raises:
            ShardsMissing: no shards make up the model, or too many failed.
            QueueFull: the shards that do have no slot left.
            Internal: the shards refuse what they are sent.
        """
        self._input(0).append(hidden)
        while True:
            try:
                if not self._hops:
                    await self._follow(await self._chain())
                return await self._advance(len(self._input(0)))
            except HopLost as lost:
                await self._replace(lost)

    def close(self) -> None:
        """Forget the sequence everywhere; idempotent."""
        for hop in self._hops:
            if hop.held and not hop.link.is_lost:
                self.directory.worked(hop.shard.node)
            hop.end()
        self._hops.clear()
        self._inputs.clear()
        self._count_bytes()

    def _input(self, layer: int) -> History:
        """Return what went into this layer so far."""
        if layer not in self._inputs:
            self._inputs[layer] = History(
                width=self.terms.width,
                data_type=self.terms.data_type,
                tokens_max=self.tokens_max,
            )
        return self._inputs[layer]

    async def _advance(self, total: int) -> torch.Tensor:
        """Bring every shard to `total` positions, in order."""
        for hop in self._hops:
            given = self._input(hop.shard.layers.first)
            while hop.held < total:
                count = min(total - hop.held, hop.frame_tokens_max)
                self._keep(hop, await hop.send(given.part(hop.held, count)))
        self._count_bytes()
        if self._last is None:
            raise RuntimeError("a chain of shards ends before the model does")
        return self._last

    def _keep(self, hop: Hop, hidden: torch.Tensor) -> None:
        """Keep what the next shard has not been sent yet."""
        end = hop.shard.layers.end
        if end == self.terms.layers:
            self._last = hidden[-1:].clone()
            return
        following = self._input(end)
        new = hop.held - len(following)
        if new > 0:
            following.append(hidden[-new:])

    async def _chain(self) -> Chain:
        """Return the chain to take: over shards that fell silent only if need be."""
        return self._chain_now() or await self.directory.chain(
            self._wish(self._refused)
        )

    def _chain_now(self) -> Chain | None:
        return self.directory.chain_now(self._wish(self._refused | self._doubted))

    def _wish(self, avoided: set[tuple[str, LayerRange]]) -> Wish:
        """Return what the sequence needs; changing a shard costs a replay."""
        held = max((hop.held for hop in self._hops), default=0)
        slowest_ms = max((hop.shard.token_ms for hop in self._hops), default=0.0)
        return Wish(
            tokens=self.tokens_max,
            avoided=frozenset(avoided),
            kept=frozenset(hop.shard.place for hop in self._hops),
            change_ms=held * slowest_ms,
        )

    async def _replace(self, lost: HopLost) -> None:
        """Go on without a shard, or tell why that is not possible."""
        self._replacements += 1
        log.info(
            "shard replaced",
            node=lost.shard.node,
            layers=str(lost.shard.layers),
            reason=lost.reason,
        )
        self._note(lost)
        if self._replacements > self.terms.replacements_max:
            raise refusal_of(lost, self.terms.model)
        if lost.reason == TAKEN and self._chain_now() is None:
            # Waiting would help nobody: slots are given back when answers end.
            raise refusal_of(lost, self.terms.model)
        REPLACEMENTS.labels(self.terms.model).inc()
        try:
            chain = await self._chain()
        except FederationError as error:
            raise refusal_of(lost, self.terms.model) from error
        await self._follow(chain)

    def _note(self, lost: HopLost) -> None:
        """Let go of a lost shard, and remember how it failed."""
        if lost.reason:
            self._refused.add(lost.shard.place)
        else:
            self._doubted.add(lost.shard.place)
            self.directory.lost(lost.shard.node)
        self._drop({lost.shard.place})

    def _drop(self, places: set[tuple[str, LayerRange]]) -> None:
        for hop in self._hops:
            if hop.shard.place in places:
                hop.end()
        self._hops = [hop for hop in self._hops if hop.shard.place not in places]

    async def _follow(self, chain: Chain) -> None:
        """Take this chain: keep shards that are in use, open the sequence at others."""
        known = {hop.shard.place: hop for hop in self._hops}
        self._drop(set(known) - {shard.place for shard in chain})
        starts = {shard.layers.first for shard in chain}
        self._inputs = {at: one for at, one in self._inputs.items() if at in starts}
        log.info("chain taken", nodes=[shard.node for shard in chain])
        # All of them belong to the session before the first can fail.
        self._hops = [known.get(one.place) or self._hop(one) for one in chain]
        new = [hop for hop in self._hops if hop.shard.place not in known]
        if self._replacements:
            again = (self._inputs.get(hop.shard.layers.first, ()) for hop in new)
            REPLAYED.labels(self.terms.model).inc(sum(map(len, again)))
        await self._open(new)

    def _hop(self, shard: ShardAt) -> Hop:
        link = self.directory.link(shard.node, shard.address)
        return Hop(shard, link, link.begin(), self.terms)

    async def _open(self, hops: Iterable[Hop]) -> None:
        """Open the sequence at several shards at once."""
        found = await asyncio.gather(
            *(hop.open(self.tokens_max) for hop in hops), return_exceptions=True
        )
        failures = [one for one in found if isinstance(one, BaseException)]
        for failure in failures:
            if not isinstance(failure, HopLost):
                raise failure
            self._note(failure)
        if failures:
            raise failures[0]

    def _count_bytes(self) -> None:
        held = sum(history.nbytes for history in self._inputs.values())
        HISTORY_BYTES.labels(self.terms.model).inc(held - self._counted_bytes)
        self._counted_bytes = held
