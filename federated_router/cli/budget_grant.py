"""`budget grant`: open an account on terms that never change."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.cli.budget_screen import show_changed
from federated_router.cli.budget_text import account_name
from federated_router.cli.ledgers import FEDERATION, keeper_of
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

_KINDS = {
    "accounts/dataset-": pb.Account.KIND_DATASET,
    "accounts/block-": pb.Account.KIND_BLOCK,
    "accounts/department-": pb.Account.KIND_DEPARTMENT,
    "accounts/user-": pb.Account.KIND_USER,
    FEDERATION: pb.Account.KIND_FEDERATION,
}
_SCHEMES = {
    "record": pb.BlockTerms.SCHEME_RECORD,
    "bucket": pb.BlockTerms.SCHEME_BUCKET,
    "batch": pb.BlockTerms.SCHEME_BATCH,
}
_BLOCKS = re.compile(r"(record|batch|bucket)(?::([0-9]{1,7}))?", re.ASCII)


class Renewal(StrEnum):
    """When a new window begins by itself."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ON_NEW_DATA = "on-new-data"


class Accounting(StrEnum):
    """How losses are measured and added."""

    ZCDP = "zcdp"
    RDP = "rdp"


def grant(
    name: Annotated[
        str,
        typer.Argument(
            help="accounts/dataset-ID or, at the coordinator, accounts/federation-ID "
            "(guarantees); accounts/department-ID or accounts/user-ID (quotas)"
        ),
    ],
    epsilon: Annotated[float, typer.Option(help="The limit of one window.")],
    *,
    delta: Annotated[float, typer.Option(help="Above 0, below 1.")] = 1e-6,
    renewal: Annotated[Renewal, typer.Option(help="New windows.")] = Renewal.NONE,
    zone: Annotated[str, typer.Option(help="Time zone of renewals.")] = "UTC",
    lifetime_epsilon: Annotated[
        float | None, typer.Option(help="Limit over all windows.")
    ] = None,
    accounting: Annotated[
        Accounting, typer.Option(help="rdp charges Laplace releases less.")
    ] = Accounting.ZCDP,
    blocks: Annotated[
        str,
        typer.Option(
            metavar="record|bucket:N|batch",
            help="Give each block of a data set's records a limit of its own.",
        ),
    ] = "",
    block_epsilon: Annotated[
        float | None, typer.Option(help="The limit of each block.")
    ] = None,
    operator_cert: OperatorCert = None,
    operator_key: OperatorKey = None,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Open an account; the same terms again change nothing, others are refused."""
    account = pb.Account(
        name=account_name(name),
        kind=_kind(account_name(name)),
        epsilon=epsilon,
        delta=delta,
        renewal=f"RENEWAL_{renewal.value.upper().replace('-', '_')}",
        time_zone=zone,
        lifetime_epsilon=lifetime_epsilon,
        accounting=f"ACCOUNTING_{accounting.value.upper()}",
        blocks=_block_terms(blocks, block_epsilon),
    )
    response = ask(
        federation,
        keeper_of(account.name),
        lambda channel: pb_grpc.BudgetServiceStub(channel).CreateAccount(
            pb.CreateAccountRequest(account=account), timeout=CALL_TIMEOUT_S
        ),
        caller=other_operator(operator_cert, operator_key),
    )
    show_changed(response, response.account, as_json=as_json)


def _kind(name: str) -> pb.Account.Kind:
    for prefix, kind in _KINDS.items():
        if name.startswith(prefix):
            return kind
    raise typer.BadParameter(
        "Expected accounts/dataset-ID, accounts/department-ID, accounts/user-ID or "
        "accounts/federation-ID.",
        param_hint="NAME",
    )


def _block_terms(blocks: str, epsilon: float | None) -> pb.BlockTerms | None:
    """Return the terms of `record`, `bucket:N` or `batch`; None without blocks."""
    if not blocks and epsilon is None:
        return None
    if not blocks or epsilon is None:
        raise typer.BadParameter(
            "--blocks and --block-epsilon go together.", param_hint="--blocks"
        )
    match = _BLOCKS.fullmatch(blocks)
    if match is None or (match[1] == "bucket") != (match[2] is not None):
        raise typer.BadParameter(
            "Expected record, bucket:N or batch.", param_hint="--blocks"
        )
    return pb.BlockTerms(
        scheme=_SCHEMES[match[1]], bucket_count=int(match[2] or 0), epsilon=epsilon
    )
