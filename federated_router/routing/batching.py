"""Requests that come within a window, placed together.

Decides when a batch is full or its time is over, and who gets what of its plan. Refuses
to know how a plan is made (`annealing`), and how one request alone is placed. Where the
strategy was changed meanwhile, every request that waits is placed alone: none is lost.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from federated_router.kit.errors import FederationError
from federated_router.routing.annealing import Job, assign, batch_of
from federated_router.routing.candidate import Candidate, RouteQuery, Shape
from federated_router.routing.columns import Rows
from federated_router.routing.moving_scorers import BLOCK_TOKENS
from federated_router.routing.profile import Placement
from federated_router.routing.settings import AnnealingSettings

SITES_MAX: Final = 32
"""Open places that a batch is spread over: those with the least waiting."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a router is asked for its place."""

    query: RouteQuery
    shape: Shape
    explore: bool = field(kw_only=True)


class Placing(Protocol):
    """What a batch needs of a router."""

    def batch_places(self, asked: Asked) -> Placement | None:
        """Return what a batch may place a request by; None to choose for it alone."""

    def choose(
        self, query: RouteQuery, shape: Shape, *, explore: bool = True
    ) -> Candidate:
        """Return where a request alone goes."""


class Batches:
    """The requests that wait for the window to close: `batch_max` at most."""

    def __init__(self, router: Placing, settings: AnnealingSettings) -> None:
        self._router = router
        self._settings = settings
        self._waiting: list[tuple[Asked, asyncio.Future[Candidate]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._batches = 0

    async def placed(self, asked: Asked) -> Candidate:
        """Return where a request goes, within the window; raise as `choose` does."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Candidate] = loop.create_future()
        self._waiting.append((asked, future))
        if len(self._waiting) >= self._settings.batch_max:
            self._close()
        elif self._timer is None:
            self._timer = loop.call_later(self._settings.window_s, self._close)
        return await future

    def _close(self) -> None:
        """Place everybody who waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, waiting, self._waiting = None, self._waiting, []
        alike: defaultdict[tuple[RouteQuery, bool], list[int]] = defaultdict(list)
        for number, (asked, future) in enumerate(waiting):
            if not future.done():
                alike[asked.query, asked.explore].append(number)
        for numbers in alike.values():
            self._place([waiting[number] for number in numbers])

    def _place(
        self, waiting: Sequence[tuple[Asked, asyncio.Future[Candidate]]]
    ) -> None:
        for (asked, future), candidate in zip(
            waiting, self._planned([asked for asked, _ in waiting]), strict=True
        ):
            try:
                chosen = candidate or self._router.choose(
                    asked.query, asked.shape, explore=asked.explore
                )
            except FederationError as error:
                future.set_exception(error)
            else:
                future.set_result(chosen)

    def _planned(self, asked: Sequence[Asked]) -> list[Candidate | None]:
        """Return the plan of one query's requests; None for who is placed alone."""
        try:
            placements = [self._router.batch_places(one) for one in asked]
        except FederationError:
            return [None] * len(asked)
        known = [one for one in placements if one is not None and one.places]
        # One plan is of one slate: requests with wishes or other models stand alone.
        if len(known) < len(asked) or len(asked) == 1 or _differ(known):
            return [None] * len(asked)
        self._batches += 1
        return _plan(known, seed=self._batches, steps_max=self._settings.steps_max)


def _differ(placements: Sequence[Placement]) -> bool:
    first = placements[0]
    return any(
        one.slate is not first.slate or one.closed != first.closed for one in placements
    )


def _plan(
    placements: Sequence[Placement], *, seed: int, steps_max: int
) -> list[Candidate | None]:
    slate, moment = placements[0].slate, placements[0].moment
    roster, each = slate.candidates, moment.prefix.request_tokens
    waiting = moment.unread(roster) + each * moment.running(roster)
    open_ = slate.rows(placements[0].places)
    least = np.argsort(waiting[open_], kind="stable")[:SITES_MAX]
    places = np.sort(open_[least])
    batch = batch_of(
        [_job(one, places) for one in placements],
        waiting[places].tolist(),
        roster.weights[places].tolist(),
        block_tokens=BLOCK_TOKENS,
    )
    chosen = assign(batch, seed=seed, steps_max=steps_max)
    return [slate.candidate(int(places[one]), moment) for one in chosen]


def _job(placement: Placement, places: Rows) -> Job:
    """Return a request as a job, and what of it each of these places holds."""
    shape, sites = placement.moment.shape, placement.slate.candidates.sites
    held = placement.moment.prefixes.matched(shape.prefix, sites)
    return Job(
        tokens=shape.prompt_tokens,
        held=(0,) * len(places)
        if held is None
        else tuple(int(one) * BLOCK_TOKENS for one in held[places]),
        prefix=shape.prefix,
    )
