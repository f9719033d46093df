"""Pages are put together completely, up to limits that are reached and told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli import budget, budget_calls
from federated_router.cli.budget_calls import (
    Accounts,
    Search,
    find_accounts,
    find_holds,
    find_settled,
)

EPOCH = datetime.fromtimestamp(0, UTC)


class Pages:
    """A channel that answers lists from tables, a page at a time."""

    def __init__(
        self, *, accounts: list[str] | None = None, states: list[int] | None = None
    ) -> None:
        self.accounts = sorted(accounts or [])
        self.states = states or []
        self.calls = 0

    def unary_unary(
        self, method: str, *_: object, **__: object
    ) -> Callable[..., Awaitable[Message]]:
        """Return one of two lists."""
        answers = {
            "ListAccounts": self._list_accounts,
            "ListReservations": self._list_reservations,
        }
        name = method.rpartition("/")[2]

        async def call(request: Message, *, timeout: float) -> Message:  # noqa: ASYNC109
            assert timeout > 0
            self.calls += 1
            return answers[name](request)

        return call

    def _list_accounts(self, request: Message) -> Message:
        assert isinstance(request, pb.ListAccountsRequest)
        found = [
            name
            for name in self.accounts
            if name.startswith(request.name_prefix) and name > request.page_token
        ]
        page = found[: request.page_size]
        return pb.ListAccountsResponse(
            accounts=[pb.Account(name=name) for name in page],
            next_page_token=page[-1] if len(found) > len(page) else "",
        )

    def _list_reservations(self, request: Message) -> Message:
        assert isinstance(request, pb.ListReservationsRequest)
        start = int(request.page_token or 0)
        end = start + request.page_size
        return pb.ListReservationsResponse(
            reservations=[
                pb.Reservation(
                    name=f"reservations/r-{index}",
                    state=state,  # type: ignore[arg-type]
                    reserved_units=10,
                    charged_units=5 if state == pb.Reservation.STATE_COMMITTED else 0,
                    settle_time=Timestamp(seconds=1000 + index),
                )
                for index, state in list(enumerate(self.states))[start:end]
            ],
            next_page_token=str(end) if end < len(self.states) else "",
        )


HELD, COMMITTED = pb.Reservation.STATE_HELD, pb.Reservation.STATE_COMMITTED


@pytest.mark.parametrize(
    ("kind", "prefix", "blocks", "shown", "counted"),
    [
        (
            None,
            "",
            False,
            ("dataset-", "federation-", "department-", "user-"),
            ("block-",),
        ),
        (
            None,
            "",
            True,
            ("dataset-", "block-", "federation-", "department-", "user-"),
            (),
        ),
        ("block", "", False, ("block-",), ()),
        ("user", "", False, ("user-",), ()),
        (None, "accounts/block-ward.", False, ("block-ward.",), ()),
        (None, "accounts/d", False, ("dataset-", "department-"), ()),
        (None, "accounts/b", False, (), ("block-",)),
        ("user", "accounts/dataset-", False, (), ()),
        (None, "accounts/x", False, (), ()),
    ],
)
def test_search_asks_for_no_more_than_is_shown_or_counted(
    *,
    kind: str | None,
    prefix: str,
    blocks: bool,
    shown: tuple[str, ...],
    counted: tuple[str, ...],
) -> None:
    """A data set's hundred thousand blocks are not fetched to be thrown away."""
    search = Search.of(kind=kind, prefix=prefix, blocks=blocks)

    assert search.shown == tuple(f"accounts/{one}" for one in shown)
    assert search.counted == tuple(f"accounts/{one}" for one in counted)


def test_every_page_of_accounts_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """More accounts than a page holds are still all of them."""
    monkeypatch.setattr(budget_calls, "ACCOUNTS_PAGE", 3)
    users = [f"accounts/user-{index:02}" for index in range(10)]
    blocks = [f"accounts/block-d.{index}" for index in range(4)]
    pages = Pages(accounts=users + blocks)

    found = asyncio.run(
        find_accounts(pages, Search.of(kind=None, prefix="", blocks=False))
    )

    assert [one.name for one in found.accounts] == users
    assert (found.hidden, found.has_more) == (4, False)


def test_accounts_end_at_the_limit_and_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the command would read for ever, or hide that it did not."""
    monkeypatch.setattr(budget_calls, "ACCOUNTS_PAGE", 3)
    monkeypatch.setattr(budget_calls, "ACCOUNTS_MAX", 6)
    pages = Pages(accounts=[f"accounts/user-{index}" for index in range(9)])
    everything = Search.of(kind=None, prefix="", blocks=False)

    found = asyncio.run(find_accounts(pages, everything))
    budget.show_accounts(found)

    assert (len(found.accounts), found.has_more, pages.calls) == (6, True, 6)
    assert "There are more accounts than this" in capsys.readouterr().out


def test_blocks_beyond_the_limit_are_counted_as_at_least(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A number that is cut short is never told as if it were exact."""
    budget.show_accounts(Accounts((), hidden=10_000, has_more=True))

    assert "at least 10,000 blocks not listed" in capsys.readouterr().out


def test_search_for_holds_ends_once_they_explain_what_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An old account has many requests, and the live ones are among the newest."""
    monkeypatch.setattr(budget_calls, "RESERVATIONS_PAGE", 2)
    pages = Pages(states=[COMMITTED, HELD, COMMITTED, HELD, *[COMMITTED] * 50])

    holds = asyncio.run(find_holds(pages, pb.Account(held_units=20)))
    nothing = asyncio.run(find_holds(pages, pb.Account(held_units=0)))

    assert [one.name for one in holds] == ["reservations/r-1", "reservations/r-3"]
    assert nothing == ()
    assert pages.calls == 2


def test_search_for_holds_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds that settled meanwhile are looked for in vain, but not for ever."""
    monkeypatch.setattr(budget_calls, "RESERVATIONS_PAGE", 2)
    monkeypatch.setattr(budget_calls, "RESERVATIONS_MAX", 6)
    pages = Pages(states=[COMMITTED] * 50)

    assert asyncio.run(find_holds(pages, pb.Account(held_units=1))) == ()
    assert pages.calls == 3


def test_settled_requests_are_those_charged_since_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From every page; a request that holds or was released cost nothing."""
    monkeypatch.setattr(budget_calls, "RESERVATIONS_PAGE", 2)
    released = pb.Reservation.STATE_RELEASED
    pages = Pages(states=[COMMITTED, HELD, released, COMMITTED, COMMITTED])
    since = datetime.fromtimestamp(1003, UTC)

    found = asyncio.run(find_settled(pages, "accounts/user-a", since=since))

    assert [one.name for one in found.reservations] == [
        "reservations/r-3",
        "reservations/r-4",
    ]
    assert not found.has_more


def test_settled_requests_end_at_the_limit_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plot then says that it shows the newest alone."""
    monkeypatch.setattr(budget_calls, "RESERVATIONS_PAGE", 2)
    monkeypatch.setattr(budget_calls, "RESERVATIONS_MAX", 6)
    pages = Pages(states=[COMMITTED] * 50)

    found = asyncio.run(find_settled(pages, "accounts/user-a", since=EPOCH))

    assert (len(found.reservations), found.has_more, pages.calls) == (6, True, 3)
