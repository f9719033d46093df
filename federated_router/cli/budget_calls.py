"""The calls behind `budget`: pages put together, each with a limit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.cli.session import CALL_TIMEOUT_S

KINDS: Final = ("dataset", "block", "federation", "department", "user")
"""In the order of tables: guarantees first."""
ACCOUNTS_MAX: Final = 10_000
RESERVATIONS_MAX: Final = 10_000
ACCOUNTS_PAGE: Final = 1_000
RESERVATIONS_PAGE: Final = 40
"""A reservation may name a thousand accounts, and a message holds 4 MiB."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which accounts to list: name prefixes to show, and those only to count."""

    shown: tuple[str, ...]
    counted: tuple[str, ...]

    @classmethod
    def of(cls, *, kind: str | None, prefix: str, blocks: bool) -> "Search":
        """Return what to ask for; blocks are only counted unless they are meant."""
        kinds = KINDS if kind is None else (kind,)
        found = tuple(_narrowed(kinds, prefix))
        block = "accounts/block-"
        if blocks or kind == "block" or prefix.startswith(block):
            return cls(found, ())
        hidden = tuple(one for one in found if one.startswith(block))
        return cls(tuple(one for one in found if one not in hidden), hidden)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts found, how many blocks were left out, and whether a limit cut short."""

    accounts: tuple[pb.Account, ...]
    hidden: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Reservations:
    """Reservations found, newest first, and whether a limit cut them short."""

    reservations: tuple[pb.Reservation, ...]
    has_more: bool


async def find_accounts(channel: grpc.aio.Channel, search: Search) -> Accounts:
    """Return the accounts that a search shows, at most ACCOUNTS_MAX of them."""
    shown, cut = await _named(channel, search.shown)
    hidden, uncounted = await _named(channel, search.counted)
    return Accounts(tuple(shown), len(hidden), cut or uncounted)


async def get_account(channel: grpc.aio.Channel, name: str) -> pb.Account:
    """Return one account."""
    response = await pb_grpc.BudgetServiceStub(channel).GetAccount(
        pb.GetAccountRequest(name=name), timeout=CALL_TIMEOUT_S
    )
    account: pb.Account = response.account
    return account


async def find_holds(
    channel: grpc.aio.Channel, account: pb.Account
) -> tuple[pb.Reservation, ...]:
    """Return the requests that hold a part of the account, newest first.

    The search ends once they explain what is held.
    """
    holds: list[pb.Reservation] = []
    held_units = 0
    token = ""
    for _ in range(RESERVATIONS_MAX // RESERVATIONS_PAGE):
        if held_units >= account.held_units:
            break
        page = await _reservations(channel, account.name, token)
        live = [one for one in page.reservations if is_held(one)]
        holds += live
        held_units += sum(one.reserved_units for one in live)
        token = page.next_page_token
        if not token:
            break
    return tuple(holds)


async def find_settled(
    channel: grpc.aio.Channel, name: str, *, since: datetime
) -> Reservations:
    """Return requests that were charged since then, at most RESERVATIONS_MAX read.

    A request settles after it was made, so pages are read to the end.
    """
    found: list[pb.Reservation] = []
    token = ""
    for _ in range(RESERVATIONS_MAX // RESERVATIONS_PAGE):
        page = await _reservations(channel, name, token)
        found += [
            one
            for one in page.reservations
            if one.charged_units and one.settle_time.ToDatetime(tzinfo=UTC) >= since
        ]
        token = page.next_page_token
        if not token:
            return Reservations(tuple(found), has_more=False)
    return Reservations(tuple(found), has_more=True)


def is_held(one: pb.Reservation) -> bool:
    """Return whether the reservation still holds its worst case."""
    return one.state == pb.Reservation.STATE_HELD


def _narrowed(kinds: Sequence[str], prefix: str) -> Iterator[str]:
    """Yield the longer of each kind's prefix and `prefix`, where one begins the other.

    An empty prefix narrows nothing.
    """
    for kind in kinds:
        base = f"accounts/{kind}-"
        if base.startswith(prefix) or prefix.startswith(base):
            yield max(base, prefix, key=len)


async def _named(
    channel: grpc.aio.Channel, prefixes: Sequence[str]
) -> tuple[list[pb.Account], bool]:
    """Return accounts under the prefixes, and whether ACCOUNTS_MAX cut them short."""
    found: list[pb.Account] = []
    for prefix in prefixes:
        token: str | None = None
        while token != "":
            if len(found) >= ACCOUNTS_MAX:
                return found, True
            page = await _accounts(channel, prefix, token or "")
            found += page.accounts
            token = page.next_page_token
    return found, False


async def _accounts(
    channel: grpc.aio.Channel, prefix: str, token: str
) -> pb.ListAccountsResponse:
    response: pb.ListAccountsResponse = await pb_grpc.BudgetServiceStub(
        channel
    ).ListAccounts(
        pb.ListAccountsRequest(
            page_size=ACCOUNTS_PAGE, page_token=token, name_prefix=prefix
        ),
        timeout=CALL_TIMEOUT_S,
    )
    return response


async def _reservations(
    channel: grpc.aio.Channel, name: str, token: str
) -> pb.ListReservationsResponse:
    response: pb.ListReservationsResponse = await pb_grpc.BudgetServiceStub(
        channel
    ).ListReservations(
        pb.ListReservationsRequest(
            account=name, page_size=RESERVATIONS_PAGE, page_token=token
        ),
        timeout=CALL_TIMEOUT_S,
    )
    return response
