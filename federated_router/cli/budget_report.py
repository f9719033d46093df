"""`budget report`: what an account's charges add up to, and what spent most."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import grpc
import typer

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.cli.budget_calls import (
    RESERVATIONS_MAX,
    Reservations,
    find_settled,
)
from federated_router.cli.budget_plot import draw, require_drawable, spending_curve
from federated_router.cli.budget_text import (
    COMPOSITION_COLUMNS,
    RESERVATION_COLUMNS,
    account_name,
    composition_rows,
    counted,
    heading,
    reservation_row,
    short,
)
from federated_router.cli.budget_time import moment
from federated_router.cli.ledgers import keeper_of
from federated_router.cli.screen import out, print_message, table
from federated_router.cli.session import (
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)

TOP_MAX = 20
REPORT_TIMEOUT_S = 60.0
"""Composition may take the daemon some seconds."""


def report(
    name: Annotated[str, typer.Argument(help="accounts/ID; accounts/ may be left out")],
    *,
    lifetime: Annotated[
        bool, typer.Option("--lifetime", help="All windows instead of this one.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw spending over time into this .svg, .png or .pdf."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=0, max=TOP_MAX, help="How many requests to name.")
    ] = 10,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Report what was spent, by each composition theorem, and what spent most."""
    if plot is not None:
        require_drawable(plot)
    request = pb.ReportAccountRequest(name=account_name(name), lifetime=lifetime)
    response = ask(
        federation,
        keeper_of(request.name),
        lambda channel: pb_grpc.BudgetServiceStub(channel).ReportAccount(
            request, timeout=REPORT_TIMEOUT_S
        ),
    )
    del response.top_reservations[top:]
    if as_json:
        print_message(response)
    else:
        _show(response, lifetime=lifetime)
    if plot is not None:
        is_cut = _draw(response.account, plot, federation, lifetime=lifetime)
        if not as_json:
            only = f", of the newest {RESERVATIONS_MAX:,} requests" if is_cut else ""
            out.print(f"\n{plot} shows spending over time{only}.", markup=False)


def _show(response: pb.ReportAccountResponse, *, lifetime: bool) -> None:
    account = response.account
    spent = account.lifetime_units if lifetime else account.spent_units
    out.print(heading(account), style="bold", markup=False)
    out.print(f"  {span(account, lifetime=lifetime)}", markup=False)
    out.print(f"  {counted(response.requests, 'request')}, {spent:,} units charged.\n")
    table(
        COMPOSITION_COLUMNS,
        [row for one in response.compositions for row in composition_rows(one)],
    )
    if response.top_reservations:
        out.print("\nThe requests that spent most:", style="bold")
        table(
            RESERVATION_COLUMNS,
            [reservation_row(one, of_units=spent) for one in response.top_reservations],
        )


def span(account: pb.Account, *, lifetime: bool) -> str:
    """Return the time that a report is about, and the limit that holds for it."""
    if lifetime:
        capped = account.HasField("lifetime_epsilon")
        cap = (
            f"at most epsilon {short(account.lifetime_epsilon)}" if capped else "no cap"
        )
        return f"All windows since the account was opened; {cap}."
    began = moment(account.window_time, account.time_zone)
    return f"The window since {began}; limit epsilon {short(account.epsilon)}."


def _draw(account: pb.Account, path: Path, federation: Path, *, lifetime: bool) -> bool:
    """Draw the curve; return whether older requests were too many to read."""
    since = datetime.fromtimestamp(0, UTC)
    if not lifetime:
        since = account.window_time.ToDatetime(tzinfo=UTC)

    async def read(channel: grpc.aio.Channel) -> Reservations:
        return await find_settled(channel, account.name, since=since)

    found = ask(federation, keeper_of(account.name), read)
    now = datetime.now(tz=UTC)
    draw(spending_curve(account, found.reservations, now=now, lifetime=lifetime), path)
    return found.has_more
