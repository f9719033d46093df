"""Where requests are counted, and that none is counted twice or forgotten."""

import threading
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from federated_router.federation.statistics import (
    Batch,
    FailureCause,
    Statistics,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.contents import Cell

CELLS = [Cell("models/a", "eu"), Cell("models/b", "eu"), Cell("models/a", "us")]
ROUNDS = ["rounds/1", "rounds/2", "rounds/3"]


class Conservation(RuleBasedStateMachine):
    """A model that keeps requests one by one, beside the statistics that count."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics = Statistics()
        self.pending: list[tuple[int, Cell]] = []
        self.frozen: dict[str, list[tuple[int, Cell]]] = {}
        self.published: list[tuple[int, Cell]] = []
        self.discarded: list[tuple[int, Cell]] = []
        self.recorded = 0

    def _record(self, cell: Cell) -> None:
        self.pending.append((self.recorded, cell))
        self.recorded += 1

    @rule(cell=st.sampled_from(CELLS), latency=st.floats(0, 1e6))
    def succeed(self, cell: Cell, latency: float) -> None:
        """Count a success."""
        self.statistics.succeed(cell, latency_ms_per_token=latency)
        self._record(cell)

    @rule(cell=st.sampled_from(CELLS), cause=st.sampled_from(FailureCause))
    def fail(self, cell: Cell, cause: FailureCause) -> None:
        """Count a failure."""
        self.statistics.fail(cell, cause)
        self._record(cell)

    @rule(
        round_name=st.sampled_from(ROUNDS),
        chosen=st.none() | st.sets(st.sampled_from(CELLS)),
    )
    def begin(self, round_name: str, chosen: set[Cell] | None) -> None:
        """Freeze some cells or all for a round, perhaps again."""
        take = None if chosen is None else lambda _: chosen or set()
        self.statistics.begin_contribution(round_name, take=take)
        if round_name not in self.frozen:
            taken = [one for one in self.pending if chosen is None or one[1] in chosen]
            self.frozen[round_name] = taken
            self.pending = [one for one in self.pending if one not in taken]

    @rule(round_name=st.sampled_from(ROUNDS))
    def confirm(self, round_name: str) -> None:
        """End a round well."""
        self.statistics.confirm(round_name)
        self.published += self.frozen.pop(round_name, [])

    @rule(round_name=st.sampled_from(ROUNDS))
    def restore(self, round_name: str) -> None:
        """End a round without a sum."""
        self.statistics.restore(round_name)
        self.pending += self.frozen.pop(round_name, [])

    @rule(round_name=st.sampled_from(ROUNDS))
    def discard(self, round_name: str) -> None:
        """End a round that somebody saw."""
        self.statistics.discard(round_name)
        self.discarded += self.frozen.pop(round_name, [])

    @invariant()
    def every_request_is_in_exactly_one_place(self) -> None:
        """Compare each place, cell by cell, and the whole."""
        assert {
            cell: tally.requests
            for cell, tally in self.statistics.pending().tallies.items()
        } == Counter(cell for _, cell in self.pending)
        balance = self.statistics.balance()
        assert balance.recorded == self.recorded
        assert balance.pending == len(self.pending)
        assert balance.frozen == sum(map(len, self.frozen.values()))
        assert balance.published == len(self.published)
        assert balance.discarded == len(self.discarded)
        everything = [
            *self.pending,
            *self.published,
            *self.discarded,
            *(one for batch in self.frozen.values() for one in batch),
        ]
        assert sorted(one for one, _ in everything) == list(range(self.recorded))


Conservation.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestConservation = Conservation.TestCase


def test_requests_counted_while_frozen_wait_for_the_next_round() -> None:
    """Freezing takes what is there; later requests are pending again."""
    statistics = Statistics()
    statistics.fail(CELLS[0], FailureCause.ENGINE)
    frozen = statistics.begin_contribution("rounds/1")

    statistics.fail(CELLS[0], FailureCause.ENGINE)

    assert frozen.requests == 1
    assert statistics.pending().requests == 1
    assert statistics.begin_contribution("rounds/1") == frozen


def test_a_batch_that_came_back_stays_as_it_was_told() -> None:
    """Whoever still encodes it must not see requests that came later."""
    statistics = Statistics()
    statistics.fail(CELLS[0], FailureCause.ENGINE)
    batch = statistics.begin_contribution("rounds/1")
    told = batch.to_bytes()

    statistics.restore("rounds/1")
    statistics.fail(CELLS[0], FailureCause.ENGINE)

    assert batch.to_bytes() == told
    assert statistics.balance().pending == 2


def test_restored_counts_join_newer_ones_slot_by_slot() -> None:
    """Restoring adds; it does not overwrite what came meanwhile."""
    statistics = Statistics(latency_bounds_ms=(1.0, 2.0))
    statistics.succeed(CELLS[0], latency_ms_per_token=1.5)
    statistics.begin_contribution("rounds/1")
    statistics.succeed(CELLS[0], latency_ms_per_token=1.5)
    statistics.fail(CELLS[0], FailureCause.DEADLINE)

    statistics.restore("rounds/1")

    counts = statistics.pending().cells[CELLS[0]]
    assert counts.latency_counts == (0, 2, 0)
    assert counts.failures == 1


def test_batch_of_an_earlier_process_can_be_given_back() -> None:
    """After a restart the vault's batch is frozen again, once."""
    statistics = Statistics()
    statistics.fail(CELLS[0], FailureCause.ENGINE)
    content = statistics.begin_contribution("rounds/1").to_bytes()
    restarted = Statistics()

    restarted.resume("rounds/1", Batch.from_bytes(content))
    restarted.resume("rounds/1", Batch.from_bytes(content))
    restarted.restore("rounds/1")

    assert restarted.balance().pending == 1


def test_batch_over_other_bounds_is_not_mixed_in() -> None:
    """After a change of configuration old buckets mean something else."""
    old = Statistics(latency_bounds_ms=(1.0, 2.0))
    old.fail(CELLS[0], FailureCause.ENGINE)
    restarted = Statistics(latency_bounds_ms=(3.0, 4.0))
    restarted.resume("rounds/1", old.pending())

    restarted.restore("rounds/1")

    assert restarted.balance().pending == 0
    assert restarted.balance().discarded == 1


def test_memory_is_bounded_by_cells() -> None:
    """Model names come from requests; somebody may invent many."""
    statistics = Statistics(cells_max=2)

    for number in range(5):
        statistics.fail(Cell(f"models/{number}", "eu"), FailureCause.ENGINE)

    assert len(statistics.pending().cells) == 2
    assert statistics.lost == 3


def test_latency_that_is_no_number_is_refused() -> None:
    """NaN would land in some bucket and say something false."""
    with pytest.raises(FieldInvalid):
        Statistics().succeed(CELLS[0], latency_ms_per_token=float("nan"))


def test_threads_lose_no_request() -> None:
    """Nodes record from the engine's thread and from the event loop."""
    statistics = Statistics()

    def record() -> None:
        for _ in range(2000):
            statistics.succeed(CELLS[0], latency_ms_per_token=3.0)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(50):
        statistics.begin_contribution(f"rounds/{number}")
        statistics.restore(f"rounds/{number}")
    for thread in threads:
        thread.join()

    assert statistics.pending().requests == 8000


def test_counts_do_not_show_in_a_repr() -> None:
    """Logs print what they are given; plain counts must not be in it."""
    statistics = Statistics()
    statistics.fail(CELLS[0], FailureCause.ENGINE)

    assert "models/a" not in repr(statistics.pending())
