"""An old backup forgets charges; a kept checkpoint makes that somebody's decision."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_router.budget.chain import ChainHead
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import NotNow
from tests.support.audit_world import NOON_S, check, export_lines, random_history
from tests.support.backup_world import SEED, backed_up, filled, ledger, restored

NewUrl = Callable[[str], str]


async def test_backup_older_than_a_kept_checkpoint_needs_a_decision(
    new_url: NewUrl, tmp_path: Path, clock: ManualClock, key: CheckpointSigner
) -> None:
    """Charges made after it were learned; forgetting them is for a person to decide."""
    one, two = new_url("sqlite"), new_url("sqlite")
    store = await filled(one, clock, key)
    path = tmp_path / "ledger.backup"
    head = await backed_up(one, path, clock)
    await random_history(store, clock, SEED + 2, length=5)
    kept = await store.checkpoint(key)
    assert kept is not None
    await store.close()

    with pytest.raises(NotNow) as caught:
        await restored(two, path, clock, newest=(kept,))
    made = await restored(two, path, clock, newest=(kept,), accept_lost_charges=True)

    assert caught.value.metadata == {
        "backup_sequence": str(head.sequence),
        "checkpoint_sequence": str(kept.head.sequence),
    }
    assert made.lost_after == kept.head.sequence
    again = await ledger(two, clock)
    report = check(await export_lines(again, key), key.public_key, kept=[kept])
    await again.close()
    assert not report.is_good


async def test_backup_of_another_history_than_the_checkpoint_is_refused(
    new_url: NewUrl, tmp_path: Path, clock: ManualClock, key: CheckpointSigner
) -> None:
    """A checkpoint that the backup contradicts proves that one of them is not ours."""
    one, two = new_url("sqlite"), new_url("sqlite")
    await (await filled(one, clock, key)).close()
    path = tmp_path / "ledger.backup"
    head = await backed_up(one, path, clock)
    other = key.sign(ChainHead(head.ledger_id, 5, bytes(32)), now_s=NOON_S)
    foreign = key.sign(ChainHead(bytes(16), 5, bytes(32)), now_s=NOON_S)
    forged = dataclasses.replace(other, signature=bytes(64))

    for kept in (other, foreign, forged):
        with pytest.raises(NotNow):
            await restored(two, path, clock, newest=(kept,), accept_lost_charges=True)


async def test_checkpoint_that_the_backup_holds_is_no_obstacle(
    new_url: NewUrl, tmp_path: Path, clock: ManualClock, key: CheckpointSigner
) -> None:
    """The newest backup of a quiet ledger forgets nothing."""
    one, two = new_url("sqlite"), new_url("sqlite")
    store = await filled(one, clock, key)
    kept: Checkpoint | None = await store.checkpoint(key)
    assert kept is not None
    await store.close()
    await backed_up(one, tmp_path / "ledger.backup", clock)

    made = await restored(two, tmp_path / "ledger.backup", clock, newest=(kept,))

    assert made.lost_after is None
