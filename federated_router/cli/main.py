"""The command's tree; each branch lives in a file of its own."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import grpc
import typer

from federated_router.cli import (
    audit,
    budget,
    local,
    member,
    node,
    pki,
    priors,
    rounds,
    route,
)
from federated_router.cli.budget_plot import PlotFailed
from federated_router.cli.connection import NotRunning
from federated_router.cli.demo.script import run_demo
from federated_router.cli.local_federation import DaemonFailed
from federated_router.cli.models import ModelsFailed
from federated_router.cli.refusal import error_lines
from federated_router.cli.screen import err
from federated_router.cli.synthesise import synthesise
from federated_router.cli.top import top
from federated_router.kit.errors import FederationError
from federated_router.kit.grpc_errors import translate

app = typer.Typer(
    name="federated-router",
    help="Route LLM inference across organisations that may not pool their data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(local.app, name="local")
app.add_typer(pki.app, name="pki")
app.add_typer(budget.app, name="budget")
app.add_typer(audit.app, name="audit")
app.add_typer(node.app, name="node")
app.add_typer(route.app, name="route")
app.add_typer(rounds.app, name="round")
app.add_typer(member.app, name="member")
app.add_typer(priors.app, name="priors")
app.command()(synthesise)
app.command()(top)
MODULES = {"router": "federated_router", "node": "node", "coordinator": "coordinator"}


@app.command()
def serve(
    daemon: Annotated[str, typer.Argument(help="router, node or coordinator")],
    config: Annotated[Path, typer.Option(help="The daemon's TOML file.")],
) -> None:
    """Run a daemon in this process until SIGTERM."""
    if daemon not in MODULES:
        raise typer.BadParameter("router, node or coordinator", param_hint="DAEMON")
    command = [sys.executable, "-m", MODULES[daemon], "--config", str(config)]
    os.execv(sys.executable, command)  # noqa: S606 - becomes our own module.


@app.command()
def demo(
    directory: Annotated[Path, typer.Option(help="Where it runs.")] = Path(
        "build/demo"
    ),
    models: Annotated[Path, typer.Option(help="Cache of reference models.")] = Path(
        "build/models"
    ),
    report: Annotated[Path, typer.Option(help="Every figure, as JSON.")] = Path(
        "build/demo.json"
    ),
) -> None:
    """Bring a federation up, show the main job, take it down."""
    sys.exit(run_demo(directory=directory, models=models, report=report))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def simulate(context: typer.Context) -> None:
    """Play whole rounds with hundreds of members in one process, in virtual time."""
    command = [sys.executable, "-m", "coordinator.simulation", *context.args]
    os.execv(sys.executable, command)  # noqa: S606 - becomes our own module.


def main() -> None:
    """Run the command; say errors in one line each."""
    try:
        app()
    except (NotRunning, DaemonFailed, ModelsFailed, PlotFailed) as error:
        err.print(str(error), markup=False)
        sys.exit(1)
    except grpc.aio.AioRpcError as error:
        say_error(translate(error))
        sys.exit(1)
    except FederationError as error:
        say_error(error)
        sys.exit(1)


def say_error(error: FederationError) -> None:
    """Print reason, message and facts of an error."""
    for line in error_lines(error, now=datetime.now(tz=UTC)):
        err.print(line, markup=False)
