"""Which daemon's ledger a command asks."""

import pytest

from federated_router.cli.ledgers import Keeper, keeper_of
from federated_router.kit.identity import Role


@pytest.mark.parametrize(
    ("account", "role"),
    [
        ("accounts/federation-rounds", Role.COORDINATOR),
        ("accounts/dataset-ward", Role.ROUTER),
        ("accounts/dataset-federation-ward", Role.ROUTER),
        ("accounts/user-federation", Role.ROUTER),
        ("accounts/federation", Role.ROUTER),
    ],
)
def test_an_accounts_name_says_whose_ledger_has_it(account: str, role: Role) -> None:
    """Nobody has to know where rounds are charged to look at their account."""
    assert keeper_of(account) is role


def test_keepers_are_roles() -> None:
    """Each keeper can be dialled."""
    assert {keeper.role for keeper in Keeper} == {Role.ROUTER, Role.COORDINATOR}
