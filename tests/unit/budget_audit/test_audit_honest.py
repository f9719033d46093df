"""Honest ledgers, however random their history, are never accused."""

import pytest

from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.audit_world import (
    NOON_S,
    TERMS,
    check,
    export_lines,
    random_history,
    story,
)

HOLDS_MAX = 4


@pytest.mark.parametrize("seed", range(8))
async def test_random_history_is_found_good_and_its_balances_are_the_ledgers(
    seed: int, key: CheckpointSigner
) -> None:
    """Two implementations of the rules, one that writes and one that reads, agree.

    What the reader remembers are accounts and open holds, not the history.
    """
    clock = ManualClock(NOON_S)
    store = MemoryLedgerStore(clock=clock)
    await story(store, clock)
    await random_history(store, clock, seed, length=150)

    report = check(await export_lines(store, key), key.public_key)

    assert report.findings == ()
    assert report.replayed == (await store.head()).sequence
    assert report.open_holds <= HOLDS_MAX
    for name in TERMS:
        account = await store.get_account(name)
        audited = report.accounts[name]
        told = (audited.lifetime, audited.held, audited.limit)
        known = (account.lifetime_units, account.reserved_units, account.limit_units)
        assert told == known
