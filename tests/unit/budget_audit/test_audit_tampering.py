"""Whatever is done to the entries of an exported log is found and named by place."""

from collections.abc import Callable
from typing import Any

import pytest

from federated_router.budget.audit.findings import Fault
from federated_router.budget.checkpoint import CheckpointSigner
from tests.support.audit_story import Told, faults, place_of, rehashed
from tests.support.audit_world import check, documents, made_anew

ENTRIES = 19
SIGNED_EARLY = 8
CHANGES: dict[str, Callable[[Any], Any]] = {
    "time_us": lambda value: value + 1,
    "kind": lambda value: "released" if value != "released" else "committed",
    "account": lambda value: "accounts/user-eve" if value else "accounts/user-ada",
    "request_id": lambda value: f"{value}x" if value else "x",
    "detail": lambda value: value.replace(":", ": ", 1),
    "hash": lambda value: ("1" if value[0] == "0" else "0") + value[1:],
}


def test_honest_export_is_found_good(told: Told, key: CheckpointSigner) -> None:
    """A verifier that finds fault with the truth is soon ignored."""
    report = check(told, key.public_key)

    assert faults(report) == []
    assert report.is_good
    assert (report.entries, report.replayed) == (ENTRIES, ENTRIES)
    assert (report.signed_through, report.unsigned) == (ENTRIES, 0)
    assert report.checkpoints == 2
    assert report.open_holds == 1


@pytest.mark.parametrize("field", sorted(CHANGES))
@pytest.mark.parametrize("sequence", range(1, ENTRIES + 1))
def test_changed_field_of_any_entry_is_found_at_that_entry(
    told: Told, key: CheckpointSigner, sequence: int, field: str
) -> None:
    """Each field is covered by the hash; only the entry that was changed is named."""
    entry = told[place_of(told, sequence)]
    entry[field] = CHANGES[field](entry[field])

    report = check(told, key.public_key)

    assert faults(report) == [(Fault.ENTRY_CHANGED, sequence)]
    assert f"entry {sequence} " in report.findings[0].text
    assert report.replayed == sequence - 1


def test_changed_place_of_an_entry_is_found(told: Told, key: CheckpointSigner) -> None:
    """An entry that calls itself another leaves a gap where it was."""
    told[place_of(told, 5)]["sequence"] = 500

    report = check(told, key.public_key)

    assert (Fault.ENTRY_MISSING, 5) in faults(report)


@pytest.mark.parametrize("sequence", range(1, ENTRIES))
def test_removed_entry_is_named(
    told: Told, key: CheckpointSigner, sequence: int
) -> None:
    """The gap is the evidence, and nothing else is accused."""
    del told[place_of(told, sequence)]

    report = check(told, key.public_key)

    expected = [(Fault.ENTRY_MISSING, sequence), (Fault.FILE_CUT, None)]
    if sequence == SIGNED_EARLY:
        misplaced = (Fault.CHECKPOINT_MISPLACED, SIGNED_EARLY)
        expected = [misplaced, *expected]
    assert faults(report) == expected


def test_several_removed_entries_are_named_as_one_gap(
    told: Told, key: CheckpointSigner
) -> None:
    """People read a range, not a list."""
    first = place_of(told, 10)
    del told[first : first + 3]

    report = check(told, key.public_key)

    assert report.findings[0].text.startswith("Entries 10 to 12 are missing")


def test_removed_entry_behind_which_all_is_numbered_anew_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """New numbers without new hashes show where the numbers stop being true."""
    del told[place_of(told, 12)]
    for one in told[place_of(told, 13) :]:
        if one["record"] == "entry":
            one["sequence"] -= 1

    report = check(told, key.public_key)

    assert report.findings[0].fault is Fault.ENTRY_CHANGED
    assert report.findings[0].sequence == 12


@pytest.mark.parametrize("sequence", range(1, ENTRIES - 1))
def test_two_swapped_entries_are_both_named(
    told: Told, key: CheckpointSigner, sequence: int
) -> None:
    """Order is part of what is signed: a refund before its charge is another story."""
    one, two = place_of(told, sequence), place_of(told, sequence + 1)
    told[one], told[two] = told[two], told[one]

    report = check(told, key.public_key)

    named = {place for _, place in faults(report)}
    assert (Fault.ENTRY_MISSING, sequence) in faults(report)
    assert (Fault.ENTRY_OUT_OF_ORDER, sequence) in faults(report)
    assert named <= {sequence, sequence + 1}


def test_two_swapped_entries_with_exchanged_numbers_are_named(
    told: Told, key: CheckpointSigner
) -> None:
    """Exchanging the numbers as well changes both hashes."""
    one, two = place_of(told, 9), place_of(told, 10)
    told[one], told[two] = told[two], told[one]
    told[one]["sequence"], told[two]["sequence"] = 9, 10

    report = check(told, key.public_key)

    assert {place for _, place in faults(report)} >= {9, 10}


@pytest.mark.parametrize("sequence", range(1, ENTRIES + 1))
def test_repeated_entry_is_named(
    told: Told, key: CheckpointSigner, sequence: int
) -> None:
    """The same charge twice is a charge that nobody made."""
    place = place_of(told, sequence)
    told.insert(place, dict(told[place]))

    report = check(told, key.public_key)

    expected = [(Fault.ENTRY_REPEATED, sequence), (Fault.FILE_CUT, None)]
    assert faults(report) == expected


def test_entry_of_another_ledger_is_named(told: Told, key: CheckpointSigner) -> None:
    """The ledger's identity is in every hash, so not even a like entry fits."""
    place = place_of(told, 2)
    other = documents(made_anew(told, key))
    told[place] = other[place_of(other, 2)]

    report = check(told, key.public_key)

    assert faults(report)[0] == (Fault.ENTRY_CHANGED, 2)


def test_whole_log_of_another_ledger_is_refused(
    told: Told, key: CheckpointSigner
) -> None:
    """Another header does not make a log this ledger's."""
    told[0]["ledger_id"] = "00" * 16

    report = check(told, key.public_key)

    assert (Fault.ENTRY_CHANGED, 1) in faults(report)
    assert (Fault.CHECKPOINT_FORGED, SIGNED_EARLY) in faults(report)
    assert (Fault.NOTHING_SIGNED, None) in faults(report)


def test_inserted_entry_is_named(told: Told, key: CheckpointSigner) -> None:
    """An entry that follows by number cannot follow by hash."""
    place = place_of(told, 10)
    told.insert(place, {**told[place], "detail": "{}"})

    report = check(told, key.public_key)

    assert faults(report)[0] == (Fault.ENTRY_CHANGED, 10)
    assert (Fault.ENTRY_REPEATED, 10) in faults(report)


def test_rewritten_history_with_new_hashes_contradicts_the_next_checkpoint(
    told: Told, key: CheckpointSigner
) -> None:
    """Who has no key cannot hide a change behind new hashes."""
    entry = told[place_of(told, 12)]
    entry["detail"] = entry["detail"].replace("20000000000", "10000000000")

    report = check(rehashed(told), key.public_key)

    assert (Fault.CHECKPOINT_CONTRADICTED, ENTRIES) in faults(report)
    assert f"between entry {SIGNED_EARLY + 1} and" in "".join(
        one.text for one in report.findings
    )
