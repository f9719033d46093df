"""What a step of a stored event costs an account, derived anew.

Decides whether a charge follows from the event that was stored with it, through the
same published formulas as the gate (`privacy.measure`); refuses to know balances. The
event is the fact and the charge only a conclusion, so a charge that does not follow is
a fault of the router that wrote it.
"""

import json
from functools import lru_cache

from federated_router.budget.audit.books import Unreadable
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
