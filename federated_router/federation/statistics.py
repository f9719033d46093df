"""A member's own counts of finished requests, and which round each of them is in.

Decides that a request is always in exactly one place: pending, frozen for one round,
or gone (published, discarded or clipped). Refuses to know clocks, encryption and who
measured. A member of rounds records here: a node what it served, a router how its
requests ended.

What stands here is plain. It leaves the process only clipped, noised and encrypted, or
for the operator of this very daemon.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from federated_router.federation import statistics_metrics as metrics
from federated_router.federation.batch import Batch
from federated_router.federation.fitness import require_fitting
from federated_router.federation.holdout import Holdout
from federated_router.federation.own_parts import OwnParts
from federated_router.federation.pool import Admission, Pool
from federated_router.federation.records import (
    DEFAULT_UNITS,
    FailureCause,
    RequestRecord,
    Success,
    Units,
)
from federated_router.federation.user_clipping import USERS_MAX, UserLedger
from federated_router.kit.errors import LimitReached
from federated_router.priors.buckets import (
    LATENCY_BOUNDS_MS,
    bucket_index,
    require_bounds,
)
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell

__all__ = ["Balance", "Batch", "FailureCause", "Statistics"]

CELLS_MAX: Final = 1024
"""Cells that one member counts; requests of further ones are lost."""

FROZEN_MAX: Final = 64
"""Rounds without an end that hold a batch at a time."""

Take = Callable[[Mapping[Cell, int]], Collection[Cell]]
"""Chooses, from each pending cell's number of requests, the cells that a round gets."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the recorded requests are; `recorded` is the sum of the other five."""

    recorded: int
    pending: int
    frozen: int
    published: int
    discarded: int
    clipped: int = 0


class Statistics:
    """Counts finished requests; safe to call from any thread.

    Memory is bounded by `cells_max` pending cells, `users_max` users and one frozen
    batch for each of at most FROZEN_MAX unfinished rounds. `requests_per_user_max` of 0
    counts every request; with a limit nothing counts before `announce_users`, nor,
    while `recovering`, before `recovered`.
    """

    def __init__(
        self,
        *,
        latency_bounds_ms: Sequence[float] = LATENCY_BOUNDS_MS,
        units: Units = DEFAULT_UNITS,
        requests_per_user_max: int = 0,
        cells_max: int = CELLS_MAX,
        users_max: int = USERS_MAX,
        recovering: bool = False,
        holdout: Holdout | None = None,
    ) -> None:
        require_bounds(latency_bounds_ms)
        self._empty = Batch(tuple(latency_bounds_ms), {}, units, requests_per_user_max)
        self._users = UserLedger(
            requests_per_user_max, users_max=users_max, recovering=recovering
        )
        self._pool = Pool(self._empty, users=self._users, cells_max=cells_max)
        self._holdout = holdout
        self.own_parts = OwnParts()
        self._lock = threading.Lock()
        self._frozen: dict[str, Batch] = {}
        self._failures: Counter[FailureCause] = Counter()
        self._recorded = self._published = self._discarded = 0
        self._clipped = self._lost = 0

    @property
    def latency_bounds_ms(self) -> tuple[float, ...]:
        """The bounds at which latencies are recorded."""
        return self._empty.latency_bounds_ms

    @property
    def units(self) -> Units:
        """How much one step is."""
        return self._empty.units

    @property
    def lost(self) -> int:
        """Requests of cells beyond `cells_max`, which were never recorded."""
        return self._lost

    def require_fitting(self, catalogue: Catalogue) -> None:
        """Raise FieldInvalid for a round that what is recorded here cannot fill."""
        require_fitting(self._empty, catalogue)

    def announce_users(self, epoch: str) -> None:
        """Note the key under which the router names users from now on."""
        with self._lock:
            self._users.announce(epoch)

    def recovered(self) -> None:
        """Begin to count: every batch of an earlier process was resumed."""
        with self._lock:
            self._users.recovered()

    def record(self, record: RequestRecord) -> None:
        """Count a finished request, unless its user or its cell is beyond the limit."""
        outcome, bucket = record.performance, 0
        if isinstance(outcome, Success):
            bucket = bucket_index(self.latency_bounds_ms, outcome.latency_ms_per_token)
        with self._lock:
            if isinstance(outcome, FailureCause):
                self._failures[outcome] += 1
            admission = self._pool.add(
                record, bucket=bucket, advantage=lambda: self._advantage(record)
            )
            self._recorded += admission is not Admission.LOST
            self._note(admission)

    def succeed(self, cell: Cell, *, latency_ms_per_token: float) -> None:
        """Count an answer of nobody's and nothing but its latency."""
        success = Success(latency_ms_per_token=latency_ms_per_token)
        self.record(RequestRecord(cell=cell, performance=success))

    def fail(self, cell: Cell, cause: FailureCause) -> None:
        """Count a request of nobody's that ended without its answer."""
        self.record(RequestRecord(cell=cell, performance=cause))

    def pending(self) -> Batch:
        """Return a copy of what no round has taken yet."""
        with self._lock:
            return replace(self._empty, tallies=self._pool.copy())

    def failures_by_cause(self) -> Mapping[FailureCause, int]:
        """Return the failures since the process began."""
        with self._lock:
            return dict(self._failures)

    def balance(self) -> Balance:
        """Return where every recorded request is."""
        with self._lock:
            return Balance(
                recorded=self._recorded,
                pending=self._pool.requests,
                frozen=sum(batch.requests for batch in self._frozen.values()),
                published=self._published,
                discarded=self._discarded,
                clipped=self._clipped,
            )

    def begin_contribution(self, round_name: str, *, take: Take | None = None) -> Batch:
        """Move pending cells into the batch of `round_name`, and return it.

        `take` chooses the cells, all without it; the others stay pending, whole. A
        second call for the same round returns the same batch. Raises LimitReached
        while FROZEN_MAX rounds hold batches.
        """
        with self._lock:
            counts = self._pool.counts()
        # Choosing draws noise, which takes longer than anybody should hold a lock.
        chosen = None if take is None else frozenset(take(counts))
        with self._lock:
            if round_name not in self._frozen:
                self._frozen[round_name] = self._frozen_now(chosen)
            return self._frozen[round_name]

    def resume(self, round_name: str, batch: Batch) -> None:
        """Take back a batch that an earlier process of this member froze."""
        with self._lock:
            if round_name not in self._frozen:
                self._frozen[round_name] = batch
                self._recorded += batch.requests
                self._users.hold(batch.users)

    def confirm(self, round_name: str, *, noise_scale: float | None = None) -> None:
        """Forget a batch whose round was published.

        With the round's noise scale the holdout comparison learns from it; that draws
        noise and belongs in a thread.
        """
        with self._lock:
            batch = self._frozen.pop(round_name, self._empty)
            self._users.release(batch.users)
            self._published += batch.requests
        self.own_parts.confirm(round_name)
        if self._holdout is not None and noise_scale is not None:
            self._holdout.learn(batch, noise_scale=noise_scale)

    def discard(self, round_name: str) -> None:
        """Forget a batch that nobody may see, and that may not be told again."""
        self.own_parts.forget(round_name)
        with self._lock:
            batch = self._frozen.pop(round_name, self._empty)
            self._users.release(batch.users)
            self._drop(batch.requests)

    def restore(self, round_name: str) -> None:
        """Make a batch pending again, as far as it may be told (`Pool.put_back`)."""
        self.own_parts.forget(round_name)
        with self._lock:
            batch = self._frozen.pop(round_name, self._empty)
            self._drop(self._pool.put_back(batch))

    def _frozen_now(self, chosen: Collection[Cell] | None) -> Batch:
        if len(self._frozen) >= FROZEN_MAX:
            raise LimitReached(
                f"{FROZEN_MAX} rounds without an end hold statistics already.",
                retry_after_s=60.0,
            )
        everything = self._pool.counts().keys()
        batch, dropped = self._pool.take(everything if chosen is None else chosen)
        self._drop(dropped)
        metrics.REQUESTS_WITHHELD.set(self._pool.requests)
        return batch

    def _advantage(self, record: RequestRecord) -> int | None:
        if self._holdout is None or record.performance is None:
            return None
        return self._holdout.score(record.cell, record.performance)

    def _note(self, admission: Admission) -> None:
        if admission is Admission.CLIPPED:
            self._clipped += 1
            metrics.REQUESTS_CLIPPED.inc()
        elif admission is Admission.LOST:
            self._lost += 1
            metrics.REQUESTS_LOST.inc()

    def _drop(self, requests: int) -> None:
        self._discarded += requests
        metrics.REQUESTS_DISCARDED.inc(requests)
