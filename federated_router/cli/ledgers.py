"""Whose ledger a command is about: a router's, or the coordinator's.

Decides that accounts of federations are the coordinator's, which charges rounds to
them, and every other account a router's.
"""

from enum import StrEnum
from typing import Annotated

import typer

from federated_router.kit.identity import Role

FEDERATION = "accounts/federation-"


class Keeper(StrEnum):
    """Daemons that keep a ledger."""

    ROUTER = "router"
    COORDINATOR = "coordinator"

    @property
    def role(self) -> Role:
        """The daemon's role."""
        return Role(self.value)


WhoseLedger = Annotated[
    Keeper,
    typer.Option("--daemon", help="Whose ledger: the router's or the coordinator's."),
]


def keeper_of(account: str) -> Role:
    """Return whose ledger has an account, given its full name."""
    return Role.COORDINATOR if account.startswith(FEDERATION) else Role.ROUTER
