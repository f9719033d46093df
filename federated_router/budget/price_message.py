"""A price as its message: for every account what a step costs, and what is free."""

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.budget.accounts import Account, AccountTerms
from federated_router.budget.port import LedgerStore
from federated_router.budget.pricing import Price
from federated_router.budget.reservation import Charge
from federated_router.kit.errors import NotFound
from federated_router.privacy.measure import ZCDP, epsilon_of, step_units


async def price_message(
    ledger: LedgerStore, price: Price, *, steps_max: int
) -> pb.PriceEventResponse:
    """Return the price of `steps_max` steps; nothing is reserved.

    Raises BlockUnknown for a block that only an operator can open.
    """
    to_open = {terms.name: terms for terms in price.opens}
    accounts = [
        _account_price(
            charge,
            await _free_units(ledger, charge, to_open.get(charge.account)),
            steps_max,
        )
        for charge in price.charges
    ]
    dataset = next(one for one in accounts if one.account == price.dataset.name)
    # Of this request alone, so not by the order that suits a whole budget.
    rho_units = step_units(price.step, ZCDP) * steps_max
    return pb.PriceEventResponse(
        token_charge_units=dataset.step_units,
        worst_case_units=dataset.worst_case_units,
        worst_case_epsilon=epsilon_of(rho_units, ZCDP, delta=price.dataset.delta),
        free_units=dataset.free_units,
        accounts=accounts,
    )


def _account_price(charge: Charge, free_units: int, steps_max: int) -> pb.AccountPrice:
    return pb.AccountPrice(
        account=charge.account,
        step_units=charge.units_per_step,
        worst_case_units=charge.units_per_step * steps_max,
        free_units=free_units,
    )


async def _free_units(
    ledger: LedgerStore, charge: Charge, terms: AccountTerms | None
) -> int:
    """Return what is free; the whole limit of an account that is yet to be opened."""
    try:
        account: Account = await ledger.get_account(charge.account)
    except NotFound:
        if terms is None:
            raise
        return terms.limit_units
    return 0 if account.closed_time_s is not None else max(account.free_units, 0)
