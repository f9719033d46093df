"""Which site holds which beginning of a prompt, as far as a router can know. Pure.

Decides what is remembered, how long, and how much: a site is taken to hold the blocks
that it was sent last, the deepest forgotten first, so that what it holds is always
whole beginnings. Refuses to know texts: blocks are digests of all the text up to their
end. The sites that hold a block are bits of one number, so that a prompt is looked up
at all sites at once.

Source: the approximate prefix index of the Gateway API Inference Extension (proposal
0602), with the sets of servers kept as bit sets.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from federated_router.routing.candidate import Site
from federated_router.routing.columns import Floats, Numbering

_BYTE: Final = 8


class PrefixIndex:
    """Blocks by site, with a limit for each site and one for all."""

    def __init__(self, *, blocks_per_site_max: int, blocks_max: int) -> None:
        self._per_site_max = blocks_per_site_max
        self._blocks_max = blocks_max
        self._holders: dict[int, int] = {}
        self._held: dict[Site, OrderedDict[int, None]] = {}
        self._sites: Numbering[Site] = Numbering()
        self._count = 0

    def __len__(self) -> int:
        """Return how many blocks are remembered, of all sites together."""
        return self._count

    @property
    def site_blocks_max(self) -> int:
        """Return how many blocks one site may have while there are so many sites."""
        share = self._blocks_max // max(len(self._held), 1)
        return min(self._per_site_max, share)

    def matched(self, prefix: Sequence[int], sites: tuple[Site, ...]) -> Floats | None:
        """Return how many of the first blocks each site holds; None: nobody any."""
        holding = self._holders.get(prefix[0], 0) if prefix else 0
        if not holding:
            return None
        rows = self._sites.rows(sites)
        found = np.zeros((self._sites.highest // _BYTE + 1) * _BYTE)
        for depth, digest in enumerate(prefix):
            still = holding & self._holders.get(digest, 0)
            if still != holding:
                _note(found, holding & ~still, depth)
            holding = still
            if not holding:
                break
        _note(found, holding, len(prefix))
        return found[rows]

    def held(self, prefix: Sequence[int], site: Site) -> int:
        """Return how many of the first blocks one site holds."""
        blocks = self._held.get(site, ())
        missing = (depth for depth, one in enumerate(prefix) if one not in blocks)
        return next(missing, len(prefix))

    def learn(self, site: Site, prefix: Sequence[int]) -> None:
        """Remember that a site is sent a prompt; its first blocks are the newest."""
        if not prefix:
            return
        held = self._held.setdefault(site, OrderedDict())
        bit = 1 << self._sites.enter(site)
        for digest in reversed(prefix[: self.site_blocks_max]):
            if digest in held:
                held.move_to_end(digest)
            else:
                held[digest] = None
                self._count += 1
                self._holders[digest] = self._holders.get(digest, 0) | bit
        self._trim(site, held)
        if self._count > self._blocks_max:
            self._share_out()

    def forget(self, site: Site) -> None:
        """Forget everything of a site that is gone."""
        held = self._held.pop(site, ())
        self._count -= len(held)
        bit = 1 << self._sites.number(site)
        for digest in held:
            self._let_go(digest, bit)
        self._sites.leave(site)

    def keep_only(self, sites: Collection[Site]) -> None:
        """Forget the sites that are not among these."""
        for site in [one for one in self._sites if one not in sites]:
            self.forget(site)

    def _share_out(self) -> None:
        """Let every site keep its share: there are more now than when some learnt."""
        for site, held in self._held.items():
            self._trim(site, held)

    def _trim(self, site: Site, held: OrderedDict[int, None]) -> None:
        limit, bit = self.site_blocks_max, 1 << self._sites.number(site)
        while len(held) > limit:
            digest, _ = held.popitem(last=False)
            self._count -= 1
            self._let_go(digest, bit)

    def _let_go(self, digest: int, bit: int) -> None:
        left = self._holders[digest] & ~bit
        if left:
            self._holders[digest] = left
        else:
            del self._holders[digest]


def _note(found: Floats, bits: int, depth: int) -> None:
    """Write a depth where a bit is set, whatever their number."""
    if not bits & (bits - 1):  # At most one: nearly always so but for the first block.
        if bits:
            found[bits.bit_length() - 1] = depth
        return
    octets = bits.to_bytes((bits.bit_length() + _BYTE - 1) // _BYTE, "little")
    mask = np.unpackbits(np.frombuffer(octets, dtype=np.uint8), bitorder="little")
    found[: len(mask)][mask.view(np.bool_)] = depth
