"""What a round leaves behind, and what comes back, within bounded memory."""

import pytest

from federated_router.federation.statistics import (
    FROZEN_MAX,
    FailureCause,
    Statistics,
)
from federated_router.kit.errors import LimitReached
from tests.support.some_users import CELLS


def test_cells_that_a_round_does_not_take_stay_pending_whole() -> None:
    """A cell under the minimum waits; nothing of it may be in the batch."""
    statistics = Statistics()
    statistics.fail(CELLS[0], FailureCause.ENGINE)
    statistics.fail(CELLS[1], FailureCause.ENGINE)

    batch = statistics.begin_contribution(
        "rounds/1", take=lambda counts: {cell for cell in counts if cell == CELLS[0]}
    )

    assert set(batch.tallies) == {CELLS[0]}
    assert set(statistics.pending().tallies) == {CELLS[1]}


def test_later_requests_do_not_change_a_copy_of_what_is_pending() -> None:
    """The operator's reader works on it in a thread of its own."""
    statistics = Statistics()
    statistics.fail(CELLS[0], FailureCause.ENGINE)
    copy = statistics.pending()

    statistics.fail(CELLS[0], FailureCause.ENGINE)

    assert copy.requests == 1


def test_restored_cells_beyond_the_limit_are_discarded() -> None:
    """A batch that comes back may not make the pending cells more than there may be."""
    statistics = Statistics(cells_max=1)
    statistics.fail(CELLS[0], FailureCause.ENGINE)
    statistics.begin_contribution("rounds/1")
    statistics.fail(CELLS[1], FailureCause.ENGINE)

    statistics.restore("rounds/1")

    assert set(statistics.pending().tallies) == {CELLS[1]}
    assert statistics.balance().discarded == 1


def test_rounds_without_an_end_hold_a_bounded_number_of_batches() -> None:
    """A coordinator that opens rounds and ends none must not fill the memory."""
    statistics = Statistics()
    for number in range(FROZEN_MAX):
        statistics.begin_contribution(f"rounds/{number}")

    with pytest.raises(LimitReached):
        statistics.begin_contribution("rounds/one-more")

    assert statistics.begin_contribution("rounds/0").requests == 0
