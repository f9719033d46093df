"""`budget`: what is spent, held and free, and what a request would cost."""

from enum import StrEnum
from typing import Annotated

import grpc
import typer

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2 as inference
from federated_router.cli import (
    backup,
    budget_changes,
    budget_grant,
    budget_renewal,
    budget_report,
)
from federated_router.cli.budget_calls import (
    Accounts,
    Search,
    find_accounts,
    find_holds,
    get_account,
)
from federated_router.cli.budget_screen import show_account
from federated_router.cli.budget_text import (
    ACCOUNT_COLUMNS,
    LEGEND,
    PRICE_COLUMNS,
    RESERVATION_COLUMNS,
    account_name,
    account_row,
    counted,
    dataset_name,
    policy_name,
    price_row,
    price_verdict,
    reservation_row,
)
from federated_router.cli.ledgers import Keeper, WhoseLedger, keeper_of
from federated_router.cli.screen import (
    message_content,
    out,
    print_json,
    print_message,
    table,
)
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

app = typer.Typer(help="Privacy budgets.", no_args_is_help=True)


class Kind(StrEnum):
    """Kinds of accounts, as in their names."""

    DATASET = "dataset"
    BLOCK = "block"
    DEPARTMENT = "department"
    USER = "user"
    FEDERATION = "federation"


@app.command("list")
def list_accounts(
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    daemon: WhoseLedger = Keeper.ROUTER,
    kind: Annotated[Kind | None, typer.Option(help="Only this kind.")] = None,
    prefix: Annotated[
        str, typer.Option(help="Only names that begin so; accounts/ may be left out.")
    ] = "",
    blocks: Annotated[
        bool, typer.Option("--blocks", help="List blocks too, instead of their number.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List every account with what is spent (#), held (=) and free (.)."""
    search = Search.of(
        kind=None if kind is None else kind.value,
        prefix=account_name(prefix) if prefix else "",
        blocks=blocks,
    )
    found = ask(federation, daemon.role, lambda channel: find_accounts(channel, search))
    if as_json:
        print_json(
            {
                "accounts": [message_content(one) for one in found.accounts],
                "hiddenBlocks": found.hidden,
                "hasMore": found.has_more,
            }
        )
        return
    show_accounts(found)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="accounts/ID; accounts/ may be left out")],
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show one account: balance, meaning, renewal, and the requests that hold now."""

    async def read(
        channel: grpc.aio.Channel,
    ) -> tuple[pb.Account, tuple[pb.Reservation, ...]]:
        account = await get_account(channel, account_name(name))
        return account, await find_holds(channel, account)

    account, holds = ask(federation, keeper_of(account_name(name)), read)
    if as_json:
        print_json(
            {
                "account": message_content(account),
                "holds": [message_content(one) for one in holds],
            }
        )
        return
    show_account(account)
    if holds:
        out.print("\nRequests that hold now:", style="bold")
        table(
            RESERVATION_COLUMNS,
            [reservation_row(one, of_units=account.limit_units) for one in holds],
            indent=2,
        )


@app.command()
def price(
    dataset: Annotated[str, typer.Argument(help="datasets/ID")],
    policy: Annotated[str, typer.Argument(help="policies/ID")],
    *,
    record: Annotated[
        list[str] | None,
        typer.Option(help="A record that would be read, by its public id; repeat."),
    ] = None,
    batch: Annotated[
        str, typer.Option(help="The batch that the records came with.")
    ] = "",
    tokens: Annotated[
        int, typer.Option(min=0, help="Most tokens; 0 is the policy's own limit.")
    ] = 0,
    retrieved: Annotated[
        bool, typer.Option(help="Records chosen by content instead of by id.")
    ] = False,
    as_client: Annotated[
        bool,
        typer.Option("--as-client", help="Ask as the client, whose quotas count too."),
    ] = False,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Tell what a private request may cost each account at most, without making one."""
    request = pb.PriceEventRequest(
        dataset=dataset_name(dataset),
        policy=policy_name(policy),
        selection=(
            inference.SELECTION_RETRIEVED if retrieved else inference.SELECTION_BY_ID
        ),
        tokens_max=tokens,
        records=_records(record or [], batch),
    )
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.BudgetServiceStub(channel).PriceEvent(
            request, timeout=CALL_TIMEOUT_S
        ),
        caller=(lambda known: known.client) if as_client else None,
    )
    if as_json:
        print_message(response)
        return
    table(PRICE_COLUMNS, [price_row(one) for one in response.accounts])
    out.print(f"\n{price_verdict(response, as_client=as_client)}", markup=False)


app.command()(budget_report.report)
app.command()(budget_grant.grant)
app.command()(budget_renewal.renew)
app.command("open-block")(budget_changes.open_block)
app.command("close")(budget_changes.close_account)
app.command("backup")(backup.backup_ledger)
app.command("restore")(backup.restore_ledger)


def _records(ids: list[str], batch: str) -> list[pb.RecordReference]:
    """Return the records by their public names; a batch alone stands for all of it."""
    if batch and not ids:
        return [pb.RecordReference(batch=batch)]
    return [pb.RecordReference(id=one, batch=batch) for one in ids]


def show_accounts(found: Accounts) -> None:
    """Print a table of accounts, what their limits promise, and what is left out."""
    table(ACCOUNT_COLUMNS, [account_row(account) for account in found.accounts])
    if not found.accounts:
        out.print("There is no such account.")
    out.print()
    for line in LEGEND:
        out.print(line, markup=False)
    if found.hidden:
        least = "at least " if found.has_more else ""
        blocks = counted(found.hidden, "block")
        out.print(f"{least}{blocks} not listed; --blocks lists them.")
    if found.has_more:
        out.print("There are more accounts than this; narrow with --kind or --prefix.")
