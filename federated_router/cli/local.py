"""`local`: a federation on this machine, up and down."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from federated_router.cli.connection import UP_FILE, Federation
from federated_router.cli.local_federation import LocalFederation, stop
from federated_router.cli.local_node import (
    SPLIT,
    SPLIT_OF,
    layers_of,
    pipeline_plans,
)
from federated_router.cli.local_plan import NODES_MAX, Layout, NodePlan
from federated_router.cli.models import ensure_models
from federated_router.cli.screen import out, print_json, say, table
from federated_router.kit.config import TlsSettings

app = typer.Typer(help="Run a federation on this machine.", no_args_is_help=True)
Directory = Annotated[Path, typer.Option(help="Everything it needs lies below.")]
Models = Annotated[Path, typer.Option(help="Cache of reference models.")]
HERE = Path("build/local")


@app.command()
def up(
    directory: Directory = HERE,
    models: Models = Path("build/models"),
    nodes: Annotated[int, typer.Option(min=1, max=NODES_MAX)] = 3,
    shards: Annotated[
        int,
        typer.Option(min=0, help=f"Nodes that run {SPLIT} together, and a leader."),
    ] = 0,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print up.json.")] = False,
) -> None:
    """Start router, nodes and coordinator, and leave them running."""
    tell = (lambda _: None) if as_json else say
    made = ensure_models(models, tell)
    federation = LocalFederation.of(
        directory,
        models=made,
        nodes=nodes,
        say=tell,
        more=_pipeline(shards, made[SPLIT_OF]),
    )
    federation.prepare()
    try:
        federation.start()
    except BaseException:
        stop(federation.layout)
        raise
    known = federation.write_description(UP_FILE)
    if as_json:
        print_json(federation.describe())
    else:
        _show(known, federation)


@app.command()
def down(directory: Directory = HERE) -> None:
    """Stop what `up` started and remove what it wrote, but not the models."""
    count = stop(Layout(directory.resolve()))
    UP_FILE.unlink(missing_ok=True)
    say(f"{count} processes stopped.")


def _pipeline(shards: int, model: Path) -> tuple[NodePlan, ...]:
    try:
        return pipeline_plans(shards, layers=layers_of(model))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shards") from error


def _show(known: Federation, federation: LocalFederation) -> None:
    rows = [("router", known.router, ""), ("coordinator", known.coordinator, "")]
    rows += [
        (node.id, federation.plans[node.id].address, _served(node))
        for node in federation.nodes
    ]
    out.print()
    table(("daemon", "address", "serves"), rows)
    out.print(f"\nCertificates lie in {federation.layout.pki()}")
    out.print(f"Logs lie in {federation.layout.directory / 'logs'}")
    out.print(f"All of it as JSON: {UP_FILE}\n")
    out.print("Try (from another terminal, or this one):\n", style="bold")
    leads = next((node.leads for node in federation.nodes if node.leads), None)
    for line in example_calls(known, model=leads or SPLIT_OF):
        out.print(line + "\n", markup=False)


def _served(node: NodePlan) -> str:
    if node.shard is not None:
        model, first, end = node.shard
        layers = f"layer {first}" if end == first + 1 else f"layers {first}-{end - 1}"
        return f"{layers} of {model}"
    return ", ".join(model for model, _ in node.models)


def _identity(tls: TlsSettings, *, dashes: str) -> str:
    """Return the options that name an identity's files, safe to paste."""
    files = {"cacert": tls.authority, "cert": tls.certificate, "key": tls.private_key}
    return " ".join(
        f"{dashes}{name} {shlex.quote(str(path))}" for name, path in files.items()
    )


def _buf() -> str:
    """Return the `buf` that was set up beside this interpreter, or the one on PATH."""
    beside = Path(sys.executable).parent / "buf"
    return shlex.quote(str(beside)) if beside.exists() else "buf"


def example_calls(known: Federation, *, model: str = SPLIT_OF) -> list[str]:
    """Return ready-to-paste calls by grpcurl and `buf curl`, which ask this model."""
    service = "federated_router.api.v1"
    body = (
        f'{{"generation": {{"request_id": "try-1", "model": "models/{model}", '
        '"messages": [{"role": "ROLE_USER", '
        '"content": "What is metformin used for?"}]}}'
    )
    grpcurl = f"grpcurl {_identity(known.client, dashes='-')}"
    curl = f"{_buf()} curl --protocol grpc"
    buf = f"{curl} {_identity(known.client, dashes='--')}"
    buf_operator = f"{curl} {_identity(known.operator, dashes='--')}"
    router = f"https://{known.router}/{service}"
    rounds = f"https://{known.coordinator}/{service}.AggregationService"
    members = len(known.nodes) + 1
    round_body = f'{{"request_id": "round-1", "members_expected": {members}}}'
    return [
        f"{grpcurl} -d '{body}' {known.router} {service}.InferenceService/Generate",
        f"{buf} -d '{body}' {router}.InferenceService/Generate",
        f"{buf_operator} -d '{{}}' {router}.NodeRegistryService/ListNodes",
        f"{buf_operator} -d '{round_body}' {rounds}/CreateRound",
    ]
