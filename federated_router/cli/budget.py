"""`budget`: what is spent, held and free, and what a request would cost."""

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2 as inference
from federated_router.cli.screen import bar, out, print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

app = typer.Typer(help="Privacy budgets.", no_args_is_help=True)


@app.command("list")
def list_accounts(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List every account with what is spent (#), held (=) and free (.)."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.BudgetServiceStub(channel).ListAccounts(
            pb.ListAccountsRequest(page_size=1000), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_json(MessageToDict(response))
        return
    table(
        ("account", "spent # held = free .", "epsilon", "of", "delta", "renews"),
        [account_row(account) for account in response.accounts],
    )


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="accounts/dataset-ID or accounts/user-ID")
    ],
    epsilon: Annotated[float, typer.Option(min=0.0)],
    *,
    delta: Annotated[float, typer.Option(min=0.0, max=1.0)] = 1e-6,
    renewal: Annotated[str, typer.Option(help="none, daily, weekly, monthly")] = "none",
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Create an account; the same one again changes nothing."""
    kind = "KIND_DATASET" if name.startswith("accounts/dataset-") else "KIND_USER"
    account = pb.Account(
        name=name,
        kind=kind,
        epsilon=epsilon,
        delta=delta,
        renewal=f"RENEWAL_{renewal.upper()}",
    )
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.BudgetServiceStub(channel).CreateAccount(
            pb.CreateAccountRequest(account=account), timeout=CALL_TIMEOUT_S
        ),
    )
    out.print(f"{response.account.name}: {response.account.limit_units:,} units")


@app.command()
def price(
    dataset: Annotated[str, typer.Argument(help="datasets/ID")],
    policy: Annotated[str, typer.Argument(help="policies/ID")],
    *,
    retrieved: Annotated[
        bool, typer.Option(help="Records chosen by content instead of by id.")
    ] = False,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Tell what a private request may cost at most, without making one."""
    selection = (
        inference.SELECTION_RETRIEVED if retrieved else inference.SELECTION_BY_ID
    )
    request = pb.PriceEventRequest(dataset=dataset, policy=policy, selection=selection)
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.BudgetServiceStub(channel).PriceEvent(
            request, timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_json(MessageToDict(response))
        return
    table(
        ("", "units"),
        [
            ("one token", response.token_charge_units),
            ("at most", response.worst_case_units),
            ("free", response.free_units),
        ],
    )
    out.print(f"At most epsilon {response.worst_case_epsilon:.3f} for one request.")


def account_row(account: pb.Account) -> tuple[object, ...]:
    """Return one account as a row of a table."""
    renews = (
        account.renew_time.ToDatetime().date() if account.renew_time.seconds else "-"
    )
    return (
        account.name,
        bar(account.spent_units, account.held_units, account.limit_units),
        account.spent_epsilon,
        account.epsilon,
        f"{account.delta:g}",
        renews,
    )
