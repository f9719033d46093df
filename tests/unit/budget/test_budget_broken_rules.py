"""The random histories notice rules that are broken on purpose."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from federated_router.budget import (
    account_transactions,
    accounts,
    ledger,
    transactions,
)
from federated_router.budget.accounts import Account
from federated_router.budget.reservation import Reservation, ReservationState
from tests.support.ledger_machine import QUICK, MemoryMachine


def forgiving_expiry(held: Reservation, *, now_s: float) -> Reservation:
    """Expire a hold and refund it, as a ledger must never do."""
    return replace(held, state=ReservationState.EXPIRED, settled_time_s=now_s)


def generous_renewal(account: Account, *, now_s: float) -> Account:
    """Renew, and forget the odometer."""
    renewed = accounts.renew(account, now_s=now_s)
    return account if renewed is account else replace(renewed, lifetime_units=0)


def forgotten_refund(
    account: Account, *, held_units: int, charged_units: int
) -> Account:
    """Settle, and keep everything that was held."""
    del charged_units
    return accounts.settle(account, held_units=held_units, charged_units=held_units)


def early_and_forgetful(account: Account, *, now_s: float) -> Account:
    """Begin a window, and drop what is held."""
    return replace(accounts.begin_window(account, now_s=now_s), reserved_units=0)


def half_closed(account: Account) -> None:
    """Let a closed account be charged."""
    del account


BROKEN: dict[str, tuple[object, str, Callable[..., object]]] = {
    "expiry refunds": (transactions, "expire", forgiving_expiry),
    "renewal resets the odometer": (ledger, "renew", generous_renewal),
    "commit frees nothing": (ledger, "settle", forgotten_refund),
    "early renewal drops holds": (
        account_transactions,
        "begin_window",
        early_and_forgetful,
    ),
    "closed account is charged": (ledger, "check_open", half_closed),
}


@pytest.mark.parametrize("defect", sorted(BROKEN))
def test_random_history_notices(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that accepts a broken ledger proves nothing about a whole one."""
    module, name, broken = BROKEN[defect]
    monkeypatch.setattr(module, name, broken)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(
            MemoryMachine,
            settings=settings(QUICK, max_examples=300, phases=[Phase.generate]),
        )
