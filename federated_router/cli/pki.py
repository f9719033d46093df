"""`pki`: the local certificate authority."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.cli.local_federation import issue_local
from federated_router.cli.local_plan import node_plans
from federated_router.cli.screen import table
from federated_router.kit.authority import Authority
from federated_router.kit.identity import Identity, Role

app = typer.Typer(help="Make certificates.", no_args_is_help=True)
Directory = Annotated[Path, typer.Option(help="Holds ca.crt, ca.key and all else.")]


@app.command()
def issue(
    role: Annotated[Role, typer.Argument(help="What the holder is.")],
    peer_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    *,
    directory: Directory = Path("build/pki"),
    domain: Annotated[str, typer.Option(help="Trust domain.")] = TRUST_DOMAIN,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Further names or addresses it is dialled by."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, help="Lifetime.")] = 90.0,
) -> None:
    """Issue one certificate, making the authority first where there is none."""
    files = Authority.open(directory, trust_domain=domain).issue(
        Identity(role=role, id=peer_id, trust_domain=domain),
        directory,
        hosts=host or [],
        lifetime=timedelta(days=days),
    )
    table(
        ("file", "path"),
        [
            ("certificate", files.certificate),
            ("private key", files.private_key),
            ("authority", files.authority),
        ],
    )


@app.command("local")
def local_set(
    directory: Directory = Path("build/pki"),
    nodes: Annotated[int, typer.Option(min=1, max=16, help="How many nodes.")] = 3,
) -> None:
    """Issue one certificate per daemon, client and operator of a local federation."""
    daemons = [(Role.ROUTER, "router"), (Role.COORDINATOR, "coordinator")]
    daemons += [(Role.NODE, plan.id) for plan in node_plans(nodes)]
    made = issue_local(directory, daemons)
    table(
        ("id", "certificate", "private key"),
        [(name, files.certificate, files.private_key) for name, files in made.items()],
    )
