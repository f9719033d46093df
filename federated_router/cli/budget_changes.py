"""`budget open-block` and `budget close`: data that arrives, accounts that end."""

from typing import Annotated

import typer

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.cli.budget_screen import show_changed
from federated_router.cli.budget_text import account_name, dataset_name
from federated_router.cli.ledgers import keeper_of
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    OperatorCert,
    OperatorKey,
    UpFile,
    ask,
    other_operator,
)
from federated_router.kit.identity import Role


def open_block(
    dataset: Annotated[str, typer.Argument(help="datasets/ID")],
    batch: Annotated[str, typer.Argument(help="As records will name it.")],
    *,
    operator_cert: OperatorCert = None,
    operator_key: OperatorKey = None,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Open the block of a batch that has arrived; one that is open stays as it is."""
    request = pb.OpenBlockRequest(dataset=dataset_name(dataset), batch=batch)
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.BudgetServiceStub(channel).OpenBlock(
            request, timeout=CALL_TIMEOUT_S
        ),
        caller=other_operator(operator_cert, operator_key),
    )
    show_changed(response, response.account, as_json=as_json)


def close_account(
    name: Annotated[str, typer.Argument(help="accounts/ID; accounts/ may be left out")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
    operator_cert: OperatorCert = None,
    operator_key: OperatorKey = None,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Close an account for ever; what is held can still settle."""
    request = pb.CloseAccountRequest(name=account_name(name), reason=reason)
    response = ask(
        federation,
        keeper_of(request.name),
        lambda channel: pb_grpc.BudgetServiceStub(channel).CloseAccount(
            request, timeout=CALL_TIMEOUT_S
        ),
        caller=other_operator(operator_cert, operator_key),
    )
    show_changed(response, response.account, as_json=as_json)
