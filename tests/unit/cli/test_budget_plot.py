"""The plot is the account's own figures over time, in a file that is a picture."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli import budget_plot
from federated_router.cli.budget_plot import (
    PlotFailed,
    draw,
    require_drawable,
    spending_curve,
)
from federated_router.privacy.accountant import epsilon_of_units
from tests.support.budget_desk import Desk

BEGAN_S, NOW_S = 1_000_000, 2_000_000
NOW = datetime.fromtimestamp(NOW_S, UTC)
UNITS = st.integers(min_value=1, max_value=10**12)


def account(spent: int, **fields: object) -> pb.Account:
    """Return an account that spent so much in its window."""
    made = pb.Account(
        name="accounts/dataset-ward",
        promise=pb.Account.PROMISE_GUARANTEE,
        epsilon=6,
        delta=1e-6,
        spent_units=spent,
        lifetime_units=spent,
        window_time=Timestamp(seconds=BEGAN_S),
    )
    made.MergeFrom(pb.Account(**fields))  # type: ignore[arg-type]
    return made


def settled(at_s: int, units: int) -> pb.Reservation:
    """Return a request that was charged at that time."""
    return pb.Reservation(
        charged_units=units, settle_time=Timestamp(seconds=BEGAN_S + at_s)
    )


@given(st.lists(st.tuples(st.integers(0, 900_000), UNITS), max_size=20))
def test_curve_climbs_from_the_windows_beginning_to_what_the_account_says(
    charges: list[tuple[int, int]],
) -> None:
    """It never falls, and its end is the ledger's figure, whatever order pages had."""
    total = sum(units for _, units in charges)
    requests = [settled(at_s, units) for at_s, units in charges]

    curve = spending_curve(account(total), requests, now=NOW, lifetime=False)

    assert len(curve.times) == len(curve.epsilons) == len(charges) + 2
    assert list(curve.times) == sorted(curve.times)
    assert list(curve.epsilons) == sorted(curve.epsilons)
    assert curve.times[0] == datetime.fromtimestamp(BEGAN_S, UTC)
    assert curve.times[-1] == NOW
    assert curve.epsilons[0] == 0
    assert curve.epsilons[-1] == pytest.approx(epsilon_of_units(total, delta=1e-6))


def test_requests_that_were_not_read_are_where_the_curve_begins() -> None:
    """A curve that begins at 0 would hide what was spent before."""
    curve = spending_curve(
        account(10**12), [settled(5, 10**11)], now=NOW, lifetime=False
    )

    assert curve.epsilons[0] == epsilon_of_units(9 * 10**11, delta=1e-6)


def test_lifetime_begins_with_the_first_charge_and_has_the_cap_for_a_limit() -> None:
    """Not in 1970, and without a line where nothing bounds it."""
    requests = [settled(50, 10**11), settled(5, 10**11)]
    capped = account(2 * 10**11, lifetime_epsilon=12)

    curve = spending_curve(capped, requests, now=NOW, lifetime=True)
    free = spending_curve(account(2 * 10**11), requests, now=NOW, lifetime=True)

    assert curve.times[0] == datetime.fromtimestamp(BEGAN_S + 5, UTC)
    assert (curve.limit, free.limit) == (12, None)


def test_quotas_are_named_so_in_the_picture() -> None:
    """It leaves the terminal and goes into slides."""
    quota = account(0, promise=pb.Account.PROMISE_QUOTA, time_zone="Europe/Berlin")

    curve = spending_curve(quota, [], now=NOW, lifetime=False)

    assert "quota, no guarantee" in curve.title
    assert str(curve.zone) == "Europe/Berlin"


@pytest.mark.parametrize("suffix", budget_plot.SUFFIXES)
@pytest.mark.parametrize("lifetime", [False, True])
def test_a_picture_is_drawn(desk: Desk, suffix: str, *, lifetime: bool) -> None:
    """Of a used account and of a fresh one, in each format."""
    beginning = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}[suffix]
    desk.output("grant", "dataset-ward", "--epsilon", "6")
    options = ("--lifetime",) if lifetime else ()
    for name in ("fresh", "used"):
        file = desk.directory / f"{name}{suffix}"
        text = desk.output("report", "dataset-ward", "--plot", str(file), *options)
        desk.spend(f"r-{name}", 20)

        assert text.endswith(f"{file} shows spending over time.\n")
        assert file.read_bytes().startswith(beginning)


def test_picture_says_what_it_shows(tmp_path: Path) -> None:
    """Axes, limit and account stand in it."""
    file = tmp_path / "plot.svg"
    curve = spending_curve(
        account(10**11), [settled(5, 10**11)], now=NOW, lifetime=False
    )

    draw(curve, file)

    text = file.read_text(encoding="utf-8")
    for word in ("accounts/dataset-ward (guarantee)", "epsilon", "limit", "spent"):
        assert f"<!-- {word}" in text


def test_without_matplotlib_the_message_says_what_to_install(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked or printed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    result = desk.run("report", "dataset-ward", "--plot", "p.svg")

    assert isinstance(result.exception, PlotFailed)
    assert "pip install 'federated-router[plot]'" in str(result.exception)
    assert desk.callers == []


def test_a_name_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    """Before the report is computed."""
    with pytest.raises(PlotFailed, match=r"ends in \.svg"):
        require_drawable(tmp_path / "plot.txt")


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A missing folder is no defect of ours."""
    curve = spending_curve(account(0), [], now=NOW, lifetime=False)

    with pytest.raises(PlotFailed, match="cannot be written"):
        draw(curve, tmp_path / "missing" / "plot.svg")
