"""What a refusal of the federation's account does to a round.

Decides that a round which cannot be charged is aborted with the reason in its cause,
that one whose ledger does not answer waits, and that a round which has ended stays
ended whatever the ledger says. Refuses to know accounts.
"""

from coordinator.charging.port import Charges
from coordinator.rounds import events, lifecycle
from coordinator.rounds.round import Round
from federated_router.kit.errors import FederationError, Unavailable
from federated_router.kit.log import get_logger

_log = get_logger("charges")


async def secured(
    charges: Charges, before: Round, after: Round, *, now_s: float
) -> Round:
    """Return what may be stored: `after`, charged as it must be, or the round aborted.

    Raises:
        Unavailable: the ledger does not answer; nothing may be stored.
    """
    try:
        return await charges.secure(before, after)
    except Unavailable:
        raise
    except FederationError as error:
        cause = events.AbortRequested(f"{error.reason}: {error.message}")
        return lifecycle.advance(before, cause, now_s)


async def settled_if_possible(charges: Charges, ended: Round) -> None:
    """Settle what an ended round holds; later, if the ledger does not answer now."""
    try:
        await charges.settle(ended)
    except FederationError as error:
        _log.warning("round not settled yet", round=ended.name, reason=error.reason)
