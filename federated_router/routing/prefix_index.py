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
from collections.abc import Mapping, Sequence

from federated_router.routing.candidate import Site


class PrefixIndex:
    """Blocks by site, with a limit for each site and one for all."""

    def __init__(self, *, blocks_per_site_max: int, blocks_max: int) -> None:
        self._per_site_max = blocks_per_site_max
        self._blocks_max = blocks_max
        self._holders: dict[int, int] = {}
        self._held: dict[Site, OrderedDict[int, None]] = {}
        self._bits: dict[Site, int] = {}
        self._sites: list[Site | None] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many blocks are remembered, of all sites together."""
        return self._count

    @property
    def site_blocks_max(self) -> int:
        """Return how many blocks one site may have while there are so many sites."""
        share = self._blocks_max // max(len(self._held), 1)
        return min(self._per_site_max, share)

    def matched(self, prefix: Sequence[int]) -> Mapping[Site, int]:
        """Return how many of the first blocks each site holds, where it holds any."""
        found: dict[Site, int] = {}
        holding = -1
        for depth, digest in enumerate(prefix):
            still = holding & self._holders.get(digest, 0)
            if depth and still != holding:
                self._note(found, holding & ~still, depth)
            holding = still
            if not holding:
                break
        if prefix and holding:
            self._note(found, holding, len(prefix))
        return found

    def learn(self, site: Site, prefix: Sequence[int]) -> None:
        """Remember that a site is sent a prompt; its first blocks are the newest."""
        if not prefix:
            return
        held = self._held.get(site)
        if held is None:
            held = self._enter(site)
        bit = self._bits[site]
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
        held = self._held.pop(site, None)
        if held is None:
            return
        self._count -= len(held)
        bit = self._bits.pop(site)
        for digest in held:
            self._let_go(digest, bit)
        self._sites[bit.bit_length() - 1] = None

    def _note(self, found: dict[Site, int], bits: int, depth: int) -> None:
        # As text, for one search is quicker than arithmetic on a long number.
        text = bin(bits)[:1:-1]
        place = text.find("1")
        while place >= 0:
            site = self._sites[place]
            if site is not None:
                found[site] = depth
            place = text.find("1", place + 1)

    def _enter(self, site: Site) -> OrderedDict[int, None]:
        """Give a new site a bit that no other has."""
        place = self._sites.index(None) if None in self._sites else len(self._sites)
        self._sites[place : place + 1] = [site]
        self._bits[site] = 1 << place
        held = self._held[site] = OrderedDict()
        return held

    def _share_out(self) -> None:
        """Let every site keep its share: there are more now than when some learnt."""
        for site, held in self._held.items():
            self._trim(site, held)

    def _trim(self, site: Site, held: OrderedDict[int, None]) -> None:
        limit = self.site_blocks_max
        while len(held) > limit:
            digest, _ = held.popitem(last=False)
            self._count -= 1
            self._let_go(digest, self._bits[site])

    def _let_go(self, digest: int, bit: int) -> None:
        left = self._holders[digest] & ~bit
        if left:
            self._holders[digest] = left
        else:
            del self._holders[digest]
