"""When a round is charged, as the conductor sees it.

Decides the moments: a price before a round opens, a hold before anything is collected,
a charge before the sum may be opened, and a look at what is left over. Refuses to know
ledgers, accounts and prices, so that rounds are driven without any.
"""

from typing import Protocol

from coordinator.rounds.round import Round
from coordinator.rounds.terms import Terms


class Charges(Protocol):
    """Charges rounds to the federation's account.

    All methods may be repeated. Unavailable means that the ledger did not answer, and
    that the same call may follow; every other FederationError means that the round may
    not go on.
    """

    async def admit(self, terms: Terms) -> None:
        """Refuse a round whose smallest roster would already cost too much.

        Raises:
            BudgetExhausted, AccountClosed: the account cannot bear it.
        """

    async def secure(self, before: Round, after: Round) -> Round:
        """Hold or charge what entering a state takes, before it is stored.

        Returns `after`, with its reservation once there is one.

        Raises:
            BudgetExhausted, AccountClosed: the account cannot bear the round.
            NotNow: what was held for the round is gone.
        """

    async def settle(self, newest: Round | None) -> None:
        """Settle what ended rounds hold, and keep what the newest holds."""


class NoCharges:
    """Rounds that no account is charged for: simulations, and tests of rounds alone."""

    async def admit(self, terms: Terms) -> None:
        """Admit every round."""

    async def secure(self, before: Round, after: Round) -> Round:  # noqa: ARG002 - as Charges.
        """Return `after`."""
        return after

    async def settle(self, newest: Round | None) -> None:
        """Settle nothing."""
