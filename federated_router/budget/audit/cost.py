"""What a step of a stored event costs an account, derived anew.

Decides whether a charge follows from the event that was stored with it, through the
same published formulas as the gate (`privacy.measure`); refuses to know balances. The
event is the fact and the charge only a conclusion, so a charge that does not follow is
a fault of the router that wrote it.
"""

import json
from functools import lru_cache

from federated_router.budget.audit.books import Unreadable
from federated_router.budget.audit.findings import shown
from federated_router.kit.errors import FederationError
from federated_router.privacy.measure import Measure, step_units
from federated_router.privacy.step_text import step_of

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def event_text(event: object) -> str:
    """Return an event, JSON as the journal holds it, as its canonical text.

    Raises Unreadable for one that is nested too deeply.
    """
    try:
        return _encode(event)
    except RecursionError as error:
        raise Unreadable("event") from error


@lru_cache(maxsize=4096)
def derived_units(event: str, order: float | None) -> int | None:
    """Return the cost of one step of `event` in units, None if nobody can tell.

    `event` is its canonical text; `order` is the Renyi order of the account, None for
    zCDP.
    """
    try:
        return step_units(step_of(event), Measure(order))
    except FederationError:
        return None


def cost_fault(derived: int | None, *, units: int, steps_max: int, account: str) -> str:
    """Return what is wrong with holding `units` for so many steps; empty for nothing.

    `derived` is what a step costs, None where that does not follow from the event.
    """
    if derived is None:
        return f"stores an event from which no cost on {shown(account)} follows."
    if units == derived * steps_max and units > 0:
        return ""
    return (
        f"holds {units:,} units on {shown(account)}; its event costs {derived:,} "
        f"a step, so {derived * steps_max:,} for {steps_max:,} steps."
    )
