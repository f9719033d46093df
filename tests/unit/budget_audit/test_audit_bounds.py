"""Bounds in the audit log: an auditor sees what was allowed, and who charged less."""

import asyncio
from collections.abc import Callable

import pytest

from federated_router.budget.audit.findings import Fault
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.reservation import RequestId
from federated_router.kit.clock import ManualClock
from tests.support.audit_story import Told, audited, change, entry, fact, faults
from tests.support.audit_world import (
    NOON_S,
    OWNER,
    TERMS,
    TOKEN,
    USER,
    documents,
    export_lines,
    release,
)

CREATED, RESERVED, BOUNDED, BOUNDED_AGAIN, EXPIRED = range(1, 6)
RESERVED_TWO, BOUNDED_TWO, COMMITTED_TWO = range(6, 9)


@pytest.fixture(scope="module")
def lines(key: CheckpointSigner) -> list[bytes]:
    """Return the export of two requests of 12 steps: one is lost, one ends well."""

    async def told() -> list[bytes]:
        clock = ManualClock(NOON_S)
        store = MemoryLedgerStore(clock=clock)
        await store.create_account(TERMS[USER])
        lost, ended = RequestId("lost"), RequestId("ended")
        for request in (lost, ended):
            await store.reserve(
                release(request, TOKEN, [TERMS[USER]], steps_max=12, steps_bound=4)
            )
            await store.bound(request, owner=OWNER, steps=8)
            if request == lost:
                await store.bound(request, owner=OWNER, steps=10)
                await clock.advance(61.0)
                await store.expire_due()
        await store.commit(ended, owner=OWNER, steps=7)
        return await export_lines(store, key)

    return asyncio.run(told())


@pytest.fixture
def told(lines: list[bytes]) -> Told:
    """Return the export as JSON, to be changed."""
    return documents(lines)


def test_story_tells_every_bound_and_is_found_good(
    told: Told, key: CheckpointSigner
) -> None:
    """The reserved entry tells the first instalment, each bounded one the next."""
    report = audited(told, key)

    assert faults(report) == []
    assert report.replayed == COMMITTED_TWO
    assert fact(told, RESERVED, "steps_bound") == 4
    assert entry(told, BOUNDED)["detail"] == '{"steps_bound":8}'
    assert fact(told, BOUNDED_AGAIN, "steps_bound") == 10
    assert fact(told, EXPIRED, "steps") == 10


def _expire_below_the_bound(told: Told) -> None:
    _charge(told, EXPIRED, 8)


def _expire_in_full(told: Told) -> None:
    _charge(told, EXPIRED, 12)


def _commit_beyond_the_bound(told: Told) -> None:
    _charge(told, COMMITTED_TWO, 9)


def _charge(told: Told, sequence: int, steps: int) -> None:
    held = fact(told, RESERVED, "held_units")
    charged = {name: units // 12 * steps for name, units in held.items()}
    change(told, sequence, steps=steps, charged_units=charged)


@pytest.mark.parametrize(
    ("wrong", "sequence"),
    [
        (_expire_below_the_bound, EXPIRED),
        (_expire_in_full, EXPIRED),
        (_commit_beyond_the_bound, COMMITTED_TWO),
    ],
)
def test_charge_other_than_the_bound_allows_is_named(
    told: Told, key: CheckpointSigner, wrong: Callable[[Told], None], sequence: int
) -> None:
    """A lost answer costs what was allowed; a count beyond it was never possible."""
    wrong(told)

    assert faults(audited(told, key)) == [(Fault.CHARGE_WRONG, sequence)]


def test_bound_left_out_of_the_log_makes_the_charge_wrong(
    told: Told, key: CheckpointSigner
) -> None:
    """To hide that more was allowed shows in what was charged."""
    told.remove(entry(told, BOUNDED_TWO))

    assert faults(audited(told, key)) == [(Fault.CHARGE_WRONG, BOUNDED_TWO)]


@pytest.mark.parametrize("steps", [0, 4, 8, 13])
def test_bound_that_does_not_grow_within_the_hold_is_named(
    told: Told, key: CheckpointSigner, steps: int
) -> None:
    """Nobody can take back what was allowed, or allow what is not held."""
    change(told, BOUNDED_AGAIN, steps_bound=steps)

    found = faults(audited(told, key))

    assert found[0] == (Fault.RESERVATION_WRONG, BOUNDED_AGAIN)


@pytest.mark.parametrize("steps", [0, 13])
def test_first_instalment_outside_the_hold_is_named(
    told: Told, key: CheckpointSigner, steps: int
) -> None:
    """It is a part of what is held, and not nothing."""
    change(told, RESERVED, steps_bound=steps)

    assert faults(audited(told, key))[0] == (Fault.RESERVATION_WRONG, RESERVED)


def test_bound_of_what_is_settled_is_named(told: Told, key: CheckpointSigner) -> None:
    """After the charge nothing may be sampled on it."""
    at = told.index(entry(told, EXPIRED))
    told.insert(at + 1, dict(told[at - 1]))

    assert faults(audited(told, key)) == [(Fault.RESERVATION_WRONG, EXPIRED + 1)]


@pytest.mark.parametrize("value", [None, "8", -1, 8.5])
def test_bound_in_another_form_is_unreadable(
    told: Told, key: CheckpointSigner, value: object
) -> None:
    """An auditor guesses nothing."""
    change(told, BOUNDED, steps_bound=value)

    assert (Fault.ENTRY_UNREADABLE, BOUNDED) in faults(audited(told, key))
