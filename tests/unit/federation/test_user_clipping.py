"""One user moves a member's part of a sum by no more requests than the limit.

The limit is the sensitivity that the noise is calibrated to, so it must hold for every
batch that is told, across restored rounds and restarts.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.federation.batch import Batch
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import UserKey, UserLedger
from tests.support.some_users import count, epoch, limited, user


def test_requests_beyond_the_limit_are_clipped_and_not_carried_over() -> None:
    """What is clipped is lost for sums: a queue of it would grow without bound."""
    statistics = limited(2)

    for _ in range(5):
        count(statistics, user(1))
    statistics.begin_contribution("rounds/1")
    statistics.confirm("rounds/1")

    assert statistics.balance().clipped == 3
    assert statistics.begin_contribution("rounds/2").requests == 0


def test_user_counts_again_once_the_round_is_settled() -> None:
    """The limit is per round; without this a user would count twice in a lifetime."""
    statistics = limited(1)
    count(statistics, user(1))
    statistics.begin_contribution("rounds/1")
    statistics.confirm("rounds/1")

    count(statistics, user(1))

    assert statistics.begin_contribution("rounds/2").users == {user(1): 1}


def test_restored_batch_and_later_requests_keep_the_limit_together() -> None:
    """Requests counted while a round ran would otherwise double a user's weight."""
    statistics = limited(2)
    for _ in range(2):
        count(statistics, user(1))
    statistics.begin_contribution("rounds/1")
    for _ in range(2):
        count(statistics, user(1))
    statistics.restore("rounds/1")

    assert statistics.begin_contribution("rounds/2").users == {user(1): 2}


def test_request_of_nobody_is_clipped_where_users_are_protected() -> None:
    """A node that is not told the user cannot keep the promise for it (fail closed)."""
    statistics = limited(5)

    count(statistics, None)

    assert statistics.balance().clipped == 1


def test_without_a_limit_everybody_counts_and_nothing_is_kept_of_users() -> None:
    """Then requests are protected and users are not."""
    statistics = Statistics()

    for _ in range(9):
        count(statistics, user(1))
    count(statistics, None)

    assert statistics.pending().requests == 10
    assert statistics.pending().users == {}


def test_users_beyond_the_bound_are_clipped() -> None:
    """Pseudonyms come from outside; somebody may invent many (fail closed)."""
    statistics = limited(5, users_max=2)

    for number in range(4):
        count(statistics, user(number))

    assert statistics.pending().users == {user(0): 1, user(1): 1}
    assert statistics.balance().clipped == 2


def test_new_key_is_counted_from_the_next_round_on() -> None:
    """Under two keys one user would look like two, and count twice in one batch."""
    statistics = limited(5)
    count(statistics, user(1))
    statistics.announce_users(epoch(1))
    count(statistics, user(1))
    count(statistics, user(1, key=1))

    first = statistics.begin_contribution("rounds/1")
    count(statistics, user(1))
    count(statistics, user(1, key=1))

    assert first.users == {user(1): 2}
    assert statistics.pending().users == {user(1, key=1): 1}


def test_cells_left_behind_under_an_old_key_are_discarded() -> None:
    """A cell that never reaches the minimum would keep the old key alive."""
    statistics = limited(5)
    count(statistics, user(1))
    statistics.announce_users(epoch(1))

    statistics.begin_contribution("rounds/1", take=lambda _: ())

    assert statistics.balance().discarded == 1
    assert statistics.pending().requests == 0


def test_cells_left_behind_stay_where_users_are_not_protected() -> None:
    """Then keys mean nothing."""
    statistics = Statistics()
    statistics.announce_users(epoch(0))
    count(statistics, None)
    statistics.announce_users(epoch(1))

    statistics.begin_contribution("rounds/1", take=lambda _: ())

    assert statistics.pending().requests == 1


def test_users_are_freed_when_their_requests_are_gone() -> None:
    """Memory follows what is held, not what was ever seen."""
    ledger = UserLedger(2)
    ledger.announce(epoch(0))
    assert ledger.admit(user(1))
    assert ledger.users == 1

    ledger.release({user(1): 1})

    assert ledger.users == 0


@given(st.text(max_size=60))
def test_pseudonyms_of_another_form_are_nobody(value: str) -> None:
    """Metadata is a peer's; only what a router makes is a user."""
    assert UserKey.from_metadata(value) is None


@pytest.mark.parametrize("number", [0, 7])
def test_pseudonym_survives_its_metadata(number: int) -> None:
    """What a router sends is what the node counts."""
    assert UserKey.from_metadata(user(number).metadata) == user(number)
    assert UserKey.from_metadata(None) is None


def restarted(content: bytes, *, key: int = 0) -> Statistics:
    """Return a new process that takes its batch back and then begins to count."""
    statistics = Statistics(requests_per_user_max=1, recovering=True)
    statistics.announce_users(epoch(key))
    count(statistics, user(1))
    statistics.resume("rounds/1", Batch.from_bytes(content))
    statistics.recovered()
    return statistics


@pytest.fixture
def stored() -> bytes:
    """Return what an earlier process stored: one request of a user."""
    before = limited(1)
    count(before, user(1))
    return before.begin_contribution("rounds/1").to_bytes()


def test_batch_that_came_back_from_the_vault_keeps_its_users_limited(
    stored: bytes,
) -> None:
    """Otherwise a restart in the middle of a round would double the limit."""
    statistics = restarted(stored)

    count(statistics, user(1))
    statistics.restore("rounds/1")

    assert statistics.balance().clipped == 2
    assert statistics.pending().users == {user(1): 1}


def test_batch_under_a_key_that_is_gone_is_discarded(stored: bytes) -> None:
    """Nobody can tell whose it is."""
    statistics = restarted(stored, key=1)

    statistics.restore("rounds/1")

    assert statistics.balance().discarded == 1
    assert statistics.pending().requests == 0


def test_nothing_counts_before_a_router_announced_its_key() -> None:
    """A pseudonym under an unknown key is nobody's."""
    statistics = Statistics(requests_per_user_max=5)

    count(statistics, user(1))

    assert statistics.balance().clipped == 1
