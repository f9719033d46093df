"""The beginnings of public prompts that need not be read again.

Decides what is copied out of the slots when a row leaves, and into them when one comes;
refuses to know who a tenant is. Private sessions never come here. Where anything fails
the row is read in full: keeping is an optimisation, and never a reason to refuse.
"""

import logging
from collections.abc import Sequence

from prometheus_client import Counter

from node.engine.kept_states import KeptStates
from node.engine.kv_slots import SlotCache
from node.engine.prefix_tree import PrefixTree

_log = logging.getLogger(__name__)

NEW_TOKENS_MIN = 16
"""An end shorter than this is not worth a copy; a prefix is found to its last token."""

PROMPT_TOKENS = Counter(
    "node_prompt_tokens",
    "Prompt tokens of public requests that a tenant is known of, by where they came "
    "from: kept from before, or read.",
    ["source"],
)


class KeptPrefixes:
    """Copies between the slots and what is kept; used in the model thread alone."""

    def __init__(self, cache: SlotCache, *, bytes_max: int) -> None:
        self._cache = cache
        self._tree: PrefixTree[KeptStates] = PrefixTree(bytes_max=bytes_max)

    @property
    def size_bytes(self) -> int:
        """Return how much is held; any thread may ask."""
        return self._tree.size_bytes

    @property
    def bytes_max(self) -> int:
        """Return the limit; 0 keeps nothing."""
        return self._tree.bytes_max

    def restore(self, tenant: str, token_ids: Sequence[int], *, place: int) -> int:
        """Copy what the tenant has kept into a place; return how many tokens it was."""
        if not tenant or not self.bytes_max:
            return 0
        try:
            found = self._copied(tenant, token_ids, place)
        except Exception:  # noqa: BLE001 - a row without a prefix is read in full.
            self._give_up("kept prefixes could not be used")
            found = 0
        PROMPT_TOKENS.labels("kept").inc(found)
        # The last token of a prompt is always read: the pass makes the first answer's.
        PROMPT_TOKENS.labels("read").inc(len(token_ids) + 1 - found)
        return found

    def keep(self, tenant: str, token_ids: Sequence[int], *, place: int) -> None:
        """Keep the states of a place's first tokens for the tenant's next prompts."""
        if not tenant or not self.bytes_max:
            return
        try:
            start = self._tree.missing_from(tenant, token_ids)
            if len(token_ids) - start >= NEW_TOKENS_MIN:
                states = self._cache.read(place, start, len(token_ids))
                self._tree.add(tenant, token_ids, states)
        except Exception:  # noqa: BLE001 - what is not kept is read again.
            self._give_up("a prefix could not be kept")

    def _copied(self, tenant: str, token_ids: Sequence[int], place: int) -> int:
        length, found = self._tree.find(tenant, token_ids)
        at = 0
        for states, count in found:
            self._cache.write(place, at, at + count, states)
            at += count
        return length

    def _give_up(self, event: str) -> None:
        """Forget all that is kept, as its memory may be what is missing."""
        _log.exception(event)
        self._tree.clear()
