"""Any sequence of requests, rounds, restarts and keys keeps the limit of every user.

Beside the statistics run their neighbours: the same without one user's requests. They
must tell the same of everybody else, or that user moved more than its own requests.
"""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from federated_router.federation.batch import Batch
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import UserKey
from federated_router.priors.contents import Cell
from tests.support.some_users import CELLS, count, epoch, user

ROUNDS = ["rounds/1", "rounds/2", "rounds/3"]
LIMIT = 2
PEOPLE = [0, 1, 2]
LEFT_OUT = 0
KEYS = [0, 1]
CHOICES = [set(CELLS), set(CELLS[:1]), set[Cell]()]


class Clipping(RuleBasedStateMachine):
    """Every batch that is told is looked at, and compared with the neighbour's."""

    def __init__(self) -> None:
        super().__init__()
        self.both = [self.started(), self.started()]
        self.told: list[tuple[Batch, Batch]] = []
        self.frozen: list[dict[str, bytes]] = [{}, {}]
        self.key = 0
        self.announce(0)
        self.each(lambda statistics: statistics.recovered())

    def started(self) -> Statistics:
        """Return the statistics of a new process."""
        return Statistics(requests_per_user_max=LIMIT, recovering=True)

    def each(self, do: Callable[[Statistics], object]) -> None:
        """Let the same happen to both."""
        for statistics in self.both:
            do(statistics)

    @rule(
        person=st.sampled_from(PEOPLE),
        keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3),
        cell=st.sampled_from(CELLS),
    )
    def record(self, person: int, keys: list[int], cell: Cell) -> None:
        """Count requests; the neighbour never sees those of one person."""
        whole, neighbour = self.both
        for key in keys:
            count(whole, user(person, key=key), cell)
            if person != LEFT_OUT:
                count(neighbour, user(person, key=key), cell)

    @rule(person=st.sampled_from(PEOPLE), cell=st.sampled_from(CELLS))
    def record_many(self, person: int, cell: Cell) -> None:
        """Count more requests of one person than may be."""
        self.record(person, [self.key] * (LIMIT + 1), cell)

    @rule(cell=st.sampled_from(CELLS))
    def record_nobody(self, cell: Cell) -> None:
        """Count a request that no router named a user for."""
        self.each(lambda statistics: count(statistics, None, cell))

    @rule(key=st.sampled_from(KEYS))
    def announce(self, key: int) -> None:
        """Let the router restart, or register again."""
        self.key = key
        self.each(lambda statistics: statistics.announce_users(epoch(key)))

    @rule(round_name=st.sampled_from(ROUNDS), chosen=st.sampled_from(CHOICES))
    def begin(self, round_name: str, chosen: set[Cell]) -> None:
        """Take some cells, and tell them."""
        batches = [
            statistics.begin_contribution(round_name, take=lambda _: chosen)
            for statistics in self.both
        ]
        for frozen, batch in zip(self.frozen, batches, strict=True):
            frozen[round_name] = batch.to_bytes()
        self.told.append((batches[0], batches[1]))

    @rule(
        round_name=st.sampled_from(ROUNDS),
        end=st.sampled_from(["confirm", "discard", "restore"]),
    )
    def end(self, round_name: str, end: str) -> None:
        """End a round in one of the three ways."""
        self.each(lambda statistics: getattr(statistics, end)(round_name))
        for frozen in self.frozen:
            frozen.pop(round_name, None)

    @rule(early=st.booleans(), chance=st.integers(0, 4))
    def restart(self, early: bool, chance: int) -> None:  # noqa: FBT001 - drawn.
        """Lose what is pending; requests may come before the batches are back."""
        if chance:
            return
        self.both = [self.started(), self.started()]
        self.announce(self.key)
        if early:
            self.record_many(LEFT_OUT, CELLS[0])
        for statistics, frozen in zip(self.both, self.frozen, strict=True):
            for round_name, content in frozen.items():
                statistics.resume(round_name, Batch.from_bytes(content))
        self.each(lambda statistics: statistics.recovered())

    @invariant()
    def no_told_batch_holds_more_of_a_user(self) -> None:
        """Every request in a told batch is a user's, under one key, and limited."""
        for batch, _ in self.told:
            assert batch.requests == sum(batch.users.values())
            assert max(batch.users.values(), default=0) <= LIMIT
            assert {who.epoch for who in batch.users} <= {batch.user_epoch}

    @invariant()
    def what_is_told_of_others_does_not_depend_on_one_user(self) -> None:
        """Neighbours differ in at most LIMIT requests of that user, and in nothing."""
        for batch, neighbour in self.told:
            assert others(batch) == others(neighbour)
            assert batch.requests - neighbour.requests <= LIMIT

    @invariant()
    def every_request_is_in_exactly_one_place(self) -> None:
        """Clipped requests are counted as such, and nowhere else."""
        for statistics in self.both:
            balance = statistics.balance()
            assert balance.recorded == (
                balance.pending
                + balance.frozen
                + balance.published
                + balance.discarded
                + balance.clipped
            )


def others(batch: Batch) -> dict[tuple[Cell, UserKey], int]:
    """Return every other user's requests, cell by cell."""
    left_out = {user(LEFT_OUT, key=key) for key in KEYS}
    return {
        (cell, who): requests
        for cell, tally in batch.tallies.items()
        for who, requests in tally.users.items()
        if who not in left_out
    }


Clipping.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
TestClipping = Clipping.TestCase
