"""Requests that no round has taken yet, by cell and by user.

Decides which request is counted, which cells a round gets and what may come back.
Refuses to know rounds and threads (`statistics`).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import Enum, auto

from federated_router.federation.batch import Batch
from federated_router.federation.fitness import fits
from federated_router.federation.records import RequestRecord
from federated_router.federation.tally import Tally
from federated_router.federation.user_clipping import UserLedger
from federated_router.priors.contents import Cell


class Admission(Enum):
    """What became of a request: counted, over its user's limit, or without a cell."""

    COUNTED = auto()
    CLIPPED = auto()
    LOST = auto()


class Pool:
    """Pending tallies of at most `cells_max` cells, all recorded as `empty` says."""

    def __init__(self, empty: Batch, *, users: UserLedger, cells_max: int) -> None:
        self._empty = empty
        self._users = users
        self._cells_max = cells_max
        self._tallies: dict[Cell, Tally] = {}

    @property
    def requests(self) -> int:
        """How many requests are pending."""
        return sum(tally.requests for tally in self._tallies.values())

    def counts(self) -> Mapping[Cell, int]:
        """Return the pending requests by cell."""
        return {cell: tally.requests for cell, tally in self._tallies.items()}

    def copy(self) -> Mapping[Cell, Tally]:
        """Return tallies that later requests do not change."""
        return {cell: self._copied(tally) for cell, tally in self._tallies.items()}

    def add(
        self,
        record: RequestRecord,
        *,
        bucket: int,
        advantage: Callable[[], int | None],
    ) -> Admission:
        """Count a request if its cell and its user have room.

        `advantage` is asked only for a request that is counted.
        """
        tally = self._tallies.get(record.cell)
        if tally is None and len(self._tallies) >= self._cells_max:
            return Admission.LOST
        if not self._users.admit(record.user):
            return Admission.CLIPPED
        if tally is None:
            tally = self._tallies[record.cell] = self._fresh()
        tally.add(record, bucket=bucket, advantage=advantage())
        if self._users.limit and record.user is not None:
            tally.users[record.user] = tally.users.get(record.user, 0) + 1
        return Admission.COUNTED

    def take(self, chosen: Collection[Cell]) -> tuple[Batch, int]:
        """Remove the chosen cells; return them, and how many requests were dropped.

        What is left is dropped if the router has announced another key since.
        """
        tallies = self._tallies.items()
        taken = {cell: tally for cell, tally in tallies if cell in chosen}
        left = {cell: tally for cell, tally in tallies if cell not in chosen}
        batch = replace(self._empty, tallies=taken, user_epoch=self._users.epoch)
        dropped = 0
        if self._users.turn():
            dropped, left = sum(map(self._forget, left.values())), {}
        self._tallies = left
        return batch, dropped

    def put_back(self, batch: Batch) -> int:
        """Join a batch with what is pending; return how many requests were dropped.

        A batch that was recorded otherwise, or whose users cannot be told from those
        counted now, is dropped: nobody could vouch for their limit.
        """
        if not fits(batch, self._empty) or not self._users.comparable(batch.user_epoch):
            return sum(map(self._forget, batch.tallies.values()))
        return sum(self._join(cell, tally) for cell, tally in batch.tallies.items())

    def _join(self, cell: Cell, tally: Tally) -> int:
        if cell in self._tallies:
            self._tallies[cell].merge(tally)
        elif len(self._tallies) < self._cells_max:
            # Whoever took the batch may still read it: it must stay as it was told.
            self._tallies[cell] = self._copied(tally)
        else:
            return self._forget(tally)
        return 0

    def _forget(self, tally: Tally) -> int:
        self._users.release(tally.users)
        return tally.requests

    def _copied(self, tally: Tally) -> Tally:
        copy = self._fresh()
        copy.merge(tally)
        return copy

    def _fresh(self) -> Tally:
        return Tally([0] * (len(self._empty.latency_bounds_ms) + 1))
