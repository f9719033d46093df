"""Users as routers name them, and requests of theirs."""

from federated_router.federation.records import FailureCause, RequestRecord
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import UserKey
from federated_router.priors.contents import Cell

CELLS = [Cell("models/a", "eu"), Cell("models/b", "eu")]


def epoch(number: int) -> str:
    """Return the name of a router's key."""
    return f"{number:016x}"


def user(number: int, *, key: int = 0) -> UserKey:
    """Return a user as a router names it under that key."""
    return UserKey(epoch(key), f"{number:032x}")


def limited(limit: int, *, users_max: int = 100) -> Statistics:
    """Return statistics that count users of key 0 up to a limit."""
    statistics = Statistics(requests_per_user_max=limit, users_max=users_max)
    statistics.announce_users(epoch(0))
    return statistics


def count(statistics: Statistics, who: UserKey | None, cell: Cell = CELLS[0]) -> None:
    """Count one request of a user."""
    statistics.record(
        RequestRecord(cell=cell, user=who, performance=FailureCause.ENGINE)
    )
