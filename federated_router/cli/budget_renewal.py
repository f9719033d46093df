"""`budget renew`: a new window before its time takes two operators."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.cli.budget_screen import show_changed
from federated_router.cli.budget_text import account_name
from federated_router.cli.budget_time import moment, remaining
from federated_router.cli.connection import Federation
from federated_router.cli.ledgers import keeper_of
from federated_router.cli.screen import facts, out, print_message
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    Caller,
    OperatorCert,
    OperatorKey,
    UpFile,
    ask,
    other_operator,
)


def renew(
    name: Annotated[str, typer.Argument(help="accounts/ID; accounts/ may be left out")],
    *,
    reason: Annotated[str, typer.Option(help="Propose; why, for the audit log.")] = "",
    approve: Annotated[
        str, typer.Option(metavar="PROPOSAL", help="Approve another's proposal.")
    ] = "",
    operator_cert: OperatorCert = None,
    operator_key: OperatorKey = None,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Begin a new window early: one operator proposes, another one approves.

    What was released stays released: the loss of the new window comes on top.
    """
    if bool(reason) == bool(approve):
        raise typer.BadParameter(
            "Give --reason to propose, or --approve to approve a proposal.",
            param_hint="--reason",
        )
    operator = other_operator(operator_cert, operator_key)
    if approve:
        _approve(name, approve, federation, operator, as_json=as_json)
    else:
        _propose(name, reason, federation, operator, as_json=as_json)


def _propose(
    name: str,
    reason: str,
    federation: Path,
    operator: Caller | None,
    *,
    as_json: bool,
) -> None:
    request = pb.ProposeRenewalRequest(name=account_name(name), reason=reason)
    response = ask(
        federation,
        keeper_of(request.name),
        lambda channel: pb_grpc.BudgetServiceStub(channel).ProposeRenewal(
            request, timeout=CALL_TIMEOUT_S
        ),
        caller=operator,
    )
    if as_json:
        print_message(response)
        return
    wait_s = response.expire_time.ToDatetime(tzinfo=UTC) - datetime.now(tz=UTC)
    out.print(f"{request.name}: an early renewal is proposed.", markup=False)
    facts(
        [
            ("proposal", response.proposal),
            (
                "expires",
                f"in {remaining(wait_s.total_seconds())}, at "
                + moment(response.expire_time, "UTC"),
            ),
        ]
    )
    out.print("\nAnother operator approves it, or nothing happens:\n")
    out.print(
        f"  {approval_command(request.name, response.proposal, federation)}",
        markup=False,
    )


def _approve(
    name: str,
    proposal: str,
    federation: Path,
    operator: Caller | None,
    *,
    as_json: bool,
) -> None:
    request = pb.ApproveRenewalRequest(name=account_name(name), proposal=proposal)
    response = ask(
        federation,
        keeper_of(request.name),
        lambda channel: pb_grpc.BudgetServiceStub(channel).ApproveRenewal(
            request, timeout=CALL_TIMEOUT_S
        ),
        caller=operator,
    )
    show_changed(response, response.account, as_json=as_json)


def approval_command(name: str, proposal: str, federation: Path) -> str:
    """Return the command of the second operator, safe to paste."""
    second = Federation.load(federation).second_operator
    words = ["federated-router", "budget", "renew", name, "--approve", proposal]
    if federation != DEFAULT_UP_FILE:
        words += ["--federation", str(federation)]
    words += ["--operator-cert", str(second.certificate) if second else "FILE"]
    words += ["--operator-key", str(second.private_key) if second else "FILE"]
    return shlex.join(words)
