"""`priors`: what the federation learnt, and which revision a router decides by."""

from typing import Annotated

import typer

from federated_router.api.v1 import priors_pb2, priors_pb2_grpc
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.cli.priors_screen import cell_table, kept_row
from federated_router.cli.round_story import clock_time
from federated_router.cli.screen import facts, out, print_message, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.federation.priors_wire import priors_from_message
from federated_router.kit.identity import Role

app = typer.Typer(
    help="What the federation learnt, and which revision a router decides by.",
    no_args_is_help=True,
)


@app.command("list")
def list_priors(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List the revisions that the router keeps; the one in use is marked."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).GetAppliedPriors(
            pb.GetAppliedPriorsRequest(), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_message(response)
        return
    _print_applied(response.priors)


@app.command()
def show(
    revision: Annotated[int, typer.Argument(min=0, help="0 is the newest.")] = 0,
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a revision says of each model and region, noise and all."""
    response = ask(
        federation,
        Role.COORDINATOR,
        lambda channel: priors_pb2_grpc.PriorsServiceStub(channel).GetPriors(
            priors_pb2.GetPriorsRequest(revision=revision), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_message(response)
        return
    found = priors_from_message(response.priors)
    out.print(f"priors {found.revision}", style="bold")
    facts(
        [
            ("from", f"{found.round_name}, {found.members} members"),
            ("published", f"{clock_time(response.priors.create_time)} UTC"),
            ("noise", f"± {found.noise_standard_deviation:.1f} on every count"),
        ]
    )
    out.print()
    table(*cell_table(found))


@app.command()
def apply(
    revision: Annotated[int, typer.Argument(min=1, help="From `priors list`.")],
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Decide by this revision from now on, also when newer ones come."""
    _choose(revision, federation)


@app.command()
def follow(federation: UpFile = DEFAULT_UP_FILE) -> None:
    """Decide by the newest revision again."""
    _choose(0, federation)


def _choose(revision: int, federation: UpFile) -> None:
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).ApplyPriors(
            pb.ApplyPriorsRequest(revision=revision), timeout=CALL_TIMEOUT_S
        ),
    )
    _print_applied(response.priors)


def _print_applied(priors: pb.AppliedPriors) -> None:
    if not priors.kept:
        out.print("The router has no priors yet; `round start` makes some.")
        return
    table(
        ("", "revision", "published (UTC)", "members", "round"),
        [kept_row(one, in_use=priors.revision) for one in priors.kept],
    )
    how = (
        "chosen by an operator; `priors follow` uses the newest again"
        if priors.pinned
        else "the newest, as it comes"
    )
    out.print(f"in use: revision {priors.revision}, {how}")
