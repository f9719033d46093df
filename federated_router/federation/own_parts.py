"""What this process told in rounds that were published.

Decides that a part is known only once its round was published with it, and that what an
earlier process told is not this one's: its own sums have ended with it. Refuses to know
what is done with parts. Kept in memory, for as long as own sums are.

A round with cohorts has no part: its sums are medians or trimmed means of cohorts, in
which nobody knows what they are.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from federated_router.priors.accumulate import ROUNDS_MAX
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.own_part import OwnPart, own_part

PENDING_MAX: Final = 64
"""Rounds that have not ended; of further ones the oldest has no part."""


class OwnParts:
    """Parts of the newest ROUNDS_MAX published rounds; safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: OrderedDict[str, OwnPart] = OrderedDict()
        self._published: OrderedDict[str, OwnPart] = OrderedDict()

    @property
    def published(self) -> Mapping[str, OwnPart]:
        """A copy of the parts by the names of their rounds."""
        with self._lock:
            return dict(self._published)

    def note(
        self, round_name: str, catalogue: Catalogue, values: Sequence[int]
    ) -> None:
        """Note what is told in a round; a later call for it replaces the earlier."""
        part = own_part(catalogue, values)
        with self._lock:
            self._told[round_name] = part
            while len(self._told) > PENDING_MAX:
                self._told.popitem(last=False)

    def confirm(self, round_name: str) -> None:
        """Take note that a round was published, and this member's part is in it."""
        with self._lock:
            part = self._told.pop(round_name, None)
            if part is None:
                return
            self._published[round_name] = part
            while len(self._published) > ROUNDS_MAX:
                self._published.popitem(last=False)

    def forget(self, round_name: str) -> None:
        """Take note that a round was not published, or without this member's part."""
        with self._lock:
            self._told.pop(round_name, None)
