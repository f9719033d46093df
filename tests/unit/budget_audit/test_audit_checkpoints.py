"""Checkpoints that are forged, moved or contradicted, and ends that are cut off."""

import pytest

from federated_router.budget.audit.findings import Fault
from federated_router.budget.audit.format import fields_of
from federated_router.budget.chain import ChainHead
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.audit_story import Told, checkpoint_at, faults, place_of, rehashed
from tests.support.audit_world import (
    NOON_S,
    check,
    export_lines,
    made_anew,
    signer,
    story,
)

ENTRIES = 19
SIGNED_EARLY = 8


@pytest.mark.parametrize(
    "field", ["ledger_id", "sequence", "hash", "time_us", "public_key", "signature"]
)
def test_changed_field_of_a_checkpoint_is_found(
    told: Told, key: CheckpointSigner, field: str
) -> None:
    """Every field is under the signature, or is the key that must be the given one."""
    checkpoint = checkpoint_at(told, SIGNED_EARLY)
    value = checkpoint[field]
    changed = value + 1 if isinstance(value, int) else value[:-1] + _other(value[-1])
    checkpoint[field] = changed

    report = check(told, key.public_key)

    place = SIGNED_EARLY + 1 if field == "sequence" else SIGNED_EARLY
    assert faults(report) == [(Fault.CHECKPOINT_FORGED, place)]


def _other(digit: str) -> str:
    return "1" if digit == "0" else "0"


def test_checkpoint_of_another_key_proves_nothing(
    told: Told, key: CheckpointSigner
) -> None:
    """Anybody can sign with a key of their own."""
    forged = made_anew(told, signer())

    report = check(forged, key.public_key)

    assert faults(report) == [
        (Fault.CHECKPOINT_FORGED, ENTRIES),
        (Fault.NOTHING_SIGNED, None),
    ]


def test_checkpoint_behind_another_entry_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """A checkpoint that is moved vouches for nothing new."""
    checkpoint = checkpoint_at(told, SIGNED_EARLY)
    told.remove(checkpoint)
    told.insert(place_of(told, 11), checkpoint)

    report = check(told, key.public_key)

    assert faults(report) == [(Fault.CHECKPOINT_MISPLACED, SIGNED_EARLY)]


def test_export_cut_anywhere_is_seen_to_be_cut(
    lines: list[bytes], key: CheckpointSigner
) -> None:
    """A copy that broke off is never taken for the whole."""
    for count in range(1, len(lines)):
        report = check(lines[:count], key.public_key)

        assert Fault.FILE_CUT in {one.fault for one in report.findings}


def test_line_cut_in_the_middle_is_named(
    lines: list[bytes], key: CheckpointSigner
) -> None:
    """The last line of a broken copy is half a line."""
    report = check([*lines[:4], lines[4][:50]], key.public_key)

    assert report.findings[0].fault is Fault.FILE_UNREADABLE
    assert report.findings[0].text.startswith("Line 5 ")


def test_cut_tail_with_a_new_end_is_found_by_a_kept_checkpoint(
    told: Told, key: CheckpointSigner, late: Checkpoint
) -> None:
    """Cutting at a checkpoint leaves a sound log: only who kept a later one sees it."""
    cut = told[: place_of(told, SIGNED_EARLY) + 2]
    cut.append({"record": "end", "entries": SIGNED_EARLY, "checkpoints": 1})

    alone = check(cut, key.public_key)
    report = check(cut, key.public_key, kept=[late])

    assert alone.is_good
    assert faults(report) == [(Fault.KEPT_CHECKPOINT_NOT_REACHED, ENTRIES)]


def test_entries_behind_the_last_checkpoint_are_counted_as_not_signed(
    told: Told, key: CheckpointSigner
) -> None:
    """What is not signed yet is told, so that nobody takes it for proven."""
    told.remove(checkpoint_at(told, ENTRIES))
    told[-1]["checkpoints"] = 1

    report = check(told, key.public_key)

    assert report.is_good
    assert report.unsigned == ENTRIES - SIGNED_EARLY


def test_log_without_any_checkpoint_proves_nothing(
    told: Told, key: CheckpointSigner
) -> None:
    """A chain alone can be made by anybody."""
    unsigned = [one for one in told if one["record"] != "checkpoint"]
    unsigned[-1]["checkpoints"] = 0

    report = check(unsigned, key.public_key)

    assert faults(report) == [(Fault.NOTHING_SIGNED, None)]


def test_history_rewritten_with_the_key_contradicts_a_kept_checkpoint(
    told: Told, key: CheckpointSigner, early: Checkpoint
) -> None:
    """Even the holder of the key cannot change what an outsider has seen signed."""
    told[place_of(told, 8)]["time_us"] += 1
    anew = [one for one in rehashed(told) if one["record"] != "checkpoint"]
    last_hash = bytes.fromhex(anew[-2]["hash"])
    head = ChainHead(early.head.ledger_id, ENTRIES, last_hash)
    signed = fields_of(key.sign(head, now_s=NOON_S))
    end = {"record": "end", "entries": ENTRIES, "checkpoints": 1}
    rewritten = [*anew[:-1], signed, end]

    alone = check(rewritten, key.public_key)
    report = check(rewritten, key.public_key, kept=[early])

    assert alone.is_good
    assert faults(report) == [(Fault.KEPT_CHECKPOINT_CONTRADICTED, SIGNED_EARLY)]


async def test_ledger_that_went_on_agrees_with_every_checkpoint_kept(
    told: Told, key: CheckpointSigner, early: Checkpoint, late: Checkpoint
) -> None:
    """Whoever keeps checkpoints of an honest ledger never accuses it."""
    assert check(told, key.public_key, kept=[early, late, early]).is_good


async def test_kept_checkpoint_of_another_ledger_is_refused(
    told: Told, key: CheckpointSigner
) -> None:
    """Comparing with the wrong ledger would accuse the right one."""
    clock = ManualClock(NOON_S)
    other = MemoryLedgerStore(clock=clock)
    await story(other, clock)
    kept = await other.checkpoint(key)
    assert kept is not None
    assert len(await export_lines(other, key)) == ENTRIES + 3

    report = check(told, key.public_key, kept=[kept])

    assert faults(report) == [(Fault.KEPT_CHECKPOINT_FORGED, ENTRIES)]
