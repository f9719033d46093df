"""One account on the screen, for every command that shows one."""

from datetime import UTC, datetime

from google.protobuf.message import Message

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_facts import account_facts
from federated_router.cli.budget_text import heading
from federated_router.cli.screen import facts, out, print_message


def show_account(account: pb.Account) -> None:
    """Print everything that is to be known of an account."""
    out.print(heading(account), style="bold", markup=False)
    facts(account_facts(account, now=datetime.now(tz=UTC)))


def show_changed(response: Message, account: pb.Account, *, as_json: bool) -> None:
    """Print the account as a change left it; for programs the whole response."""
    if as_json:
        print_message(response)
    else:
        show_account(account)
