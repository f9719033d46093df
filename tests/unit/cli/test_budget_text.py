"""Words, shares and rows of the budget tables say what the numbers are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_text import (
    account_name,
    composition_rows,
    counted,
    mechanism,
    price_row,
    promise_of_name,
    reservation_row,
    share,
    short,
    state,
)
from federated_router.cli.screen import bar
from tests.support.told_accounts import dataset, stamp

AMOUNTS = st.integers(min_value=0, max_value=2**63 - 1)


@given(spent=AMOUNTS, held=AMOUNTS, free=AMOUNTS, width=st.integers(3, 80))
def test_bar_segments_sum_to_its_width_and_none_that_is_not_nothing_is_missing(
    spent: int, held: int, free: int, width: int
) -> None:
    """A bar without '#' is read as nothing spent, one without '.' as nothing free."""
    drawn = bar(spent, held, spent + held + free, width)

    counts = [drawn.count(mark) for mark in "#=."]
    amounts = (spent, held, free)
    assert sum(counts) == width
    if sum(amounts):
        assert [count > 0 for count in counts] == [amount > 0 for amount in amounts]


@given(spent=AMOUNTS, held=AMOUNTS, free=AMOUNTS, width=st.integers(3, 80))
def test_bar_is_to_scale(spent: int, held: int, free: int, width: int) -> None:
    """Within one mark for rounding, and two that small neighbours may need."""
    limit = spent + held + free
    drawn = bar(spent, held, limit, width)

    if limit:
        for mark, amount in zip("#=.", (spent, held, free), strict=True):
            assert abs(drawn.count(mark) - width * amount / limit) <= 3


@given(part=AMOUNTS, whole=AMOUNTS)
def test_share_is_nothing_or_all_only_where_it_is(part: int, whole: int) -> None:
    """Neither 0% for what was spent, nor 100% for what is not gone."""
    told = share(part, whole)

    assert (told == "0%") == (part == 0 or whole == 0)
    assert (told == "100%") == (0 < whole <= part)


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (1, 3, "33%"),
        (1, 1_000, "<1%"),
        (999, 1_000, ">99%"),
        (5, 4, "100%"),
        (5, 0, "0%"),
    ],
)
def test_share_in_percent(part: int, whole: int, told: str) -> None:
    """Rounded to a percent in between."""
    assert share(part, whole) == told


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "open"),
        ({"close_time": stamp("2026-10-01T00:00:00Z")}, "closed"),
    ],
)
def test_state_of_an_account(fields: dict[str, object], told: str) -> None:
    """Closed outweighs what is free."""
    assert state(dataset(**fields)) == told


def test_state_tells_an_empty_window_from_a_spent_lifetime() -> None:
    """For the one there is a renewal to wait for, for the other there is none."""
    window = dataset(spent_units=8_000)
    window.free_units = 0
    lifetime = dataset(lifetime_cap_units=3_500)
    lifetime.free_units = 0

    assert state(window) == "nothing free"
    assert state(lifetime) == "lifetime spent"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ('{"mechanism":"gaussian","policy":"policies/p"}', "gaussian (p)"),
        ('{"mechanism":"gaussian"}', "gaussian"),
        ("{}", "?"),
        ("[]", "?"),
        ("not json", "?"),
        ("", "?"),
    ],
)
def test_mechanism_of_any_text(event: str, told: str) -> None:
    """Old and foreign events are shown as unknown, never as a traceback."""
    assert mechanism(event) == told


def test_request_that_holds_shows_its_worst_case_and_a_settled_one_its_charge() -> None:
    """The two are never added up in one column by mistake."""
    held = pb.Reservation(
        name="reservations/a.1",
        state=pb.Reservation.STATE_HELD,
        reserved_units=500,
        event='{"mechanism":"laplace"}',
    )
    settled = pb.Reservation(
        name="reservations/a.2",
        state=pb.Reservation.STATE_COMMITTED,
        reserved_units=500,
        charged_units=200,
        steps=4,
    )

    assert reservation_row(held, of_units=1_000) == (
        "a.1",
        "laplace",
        "held",
        0,
        500,
        "50%",
    )
    assert reservation_row(settled, of_units=1_000)[2:] == ("committed", 4, 200, "20%")


def test_price_fits_to_the_last_unit() -> None:
    """As the gate compares: at most what is free."""
    exact = pb.AccountPrice(
        account="accounts/user-a", step_units=1, worst_case_units=7, free_units=7
    )
    over = pb.AccountPrice(
        account="accounts/block-d.k", step_units=1, worst_case_units=8, free_units=7
    )

    assert price_row(exact) == ("accounts/user-a", "quota", 1, 7, 7, "fits")
    assert price_row(over)[1::4] == ("guarantee", "does not fit")


@pytest.mark.parametrize("kind", ["dataset", "block", "department", "user"])
def test_promise_follows_from_the_name(kind: str) -> None:
    """A price names accounts alone; two of the four kinds are guarantees."""
    expected = "guarantee" if kind in {"dataset", "block"} else "quota"

    assert promise_of_name(f"accounts/{kind}-x") == expected


def test_note_of_a_theorem_takes_as_many_rows_as_it_needs() -> None:
    """A figure that is absent is a dash, never 0."""
    one = pb.Composition(method="pld", note="word " * 30)

    rows = composition_rows(one)

    assert rows[0][:2] == ("pld", "        -")
    assert len(rows) == 3
    assert all(row[:2] == ("", "") for row in rows[1:])
    assert composition_rows(pb.Composition(method="rdp", epsilon=0.0))[0] == (
        "rdp",
        "    0.000",
        "",
    )


def test_small_words() -> None:
    """Numbers and names as people write them."""
    assert [short(number) for number in (6, 0.5, 1e-6, 1e-10)] == [
        "6",
        "0.5",
        "1e-6",
        "1e-10",
    ]
    assert counted(1, "request") == "1 request"
    assert counted(2_000, "request") == "2,000 requests"
    assert account_name("user-a") == account_name("accounts/user-a")
