"""`audit`: take the audit log out of a daemon's ledger, and prove it to outsiders.

`verify` needs the export and the public key alone; it talks to nobody.
"""

from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.progress import Progress

from federated_router.api.v1 import audit_pb2 as pb
from federated_router.api.v1 import audit_pb2_grpc as pb_grpc
from federated_router.budget.audit.export import EntryPage, export
from federated_router.budget.audit.files import whole_file
from federated_router.budget.audit.format import (
    End,
    ExportedEntry,
    Record,
    bounded_lines,
    fields_of,
    line_of,
)
from federated_router.budget.audit.kept import read_kept
from federated_router.budget.audit.service import checkpoint_of
from federated_router.budget.audit.signing import read_public_key
from federated_router.budget.audit.verification import verify
from federated_router.budget.checkpoint import Checkpoint
from federated_router.cli.audit_report import report_json, report_lines
from federated_router.cli.ledgers import Keeper, WhoseLedger
from federated_router.cli.screen import err, out, print_json
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.pages import PAGE_SIZE_MAX

app = typer.Typer(help="The ledger's audit log.", no_args_is_help=True)
EXPORT_MODE = 0o600
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


@app.command("export")
def export_log(
    file: Annotated[Path, typer.Argument(help="Where the export goes.")],
    *,
    force: Force = False,
    daemon: WhoseLedger = Keeper.ROUTER,
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Sign the newest entry, then write the whole log to a file."""
    with (
        whole_file(file, mode=EXPORT_MODE, overwrite=force) as target,
        Progress(console=err, transient=True, disable=not err.is_terminal) as progress,
    ):
        task = progress.add_task("entries", total=None)

        def write(record: Record) -> None:
            target.write(line_of(record))

        def tell(written: int, of: int) -> None:
            progress.update(task, completed=written, total=of)

        async def draw(channel: grpc.aio.Channel) -> End:
            source = DaemonSource(pb_grpc.AuditServiceStub(channel))
            return await export(source, write, tell)

        end = ask(federation, daemon.role, draw)
    out.print(
        f"{file}: {end.entries:,} entries, {end.checkpoints:,} checkpoints.",
        markup=False,
    )


@app.command()
def checkpoint(
    file: Annotated[
        Path | None, typer.Argument(help="Add it to this file; else print it.")
    ] = None,
    *,
    daemon: WhoseLedger = Keeper.ROUTER,
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Sign the newest entry now; keep the answer where the daemon cannot reach."""
    made = ask(
        federation,
        daemon.role,
        lambda channel: DaemonSource(pb_grpc.AuditServiceStub(channel)).sign(),
    )
    if made is None:
        out.print("The audit log is empty; there is nothing to sign.")
        return
    if file is None:
        print_json(fields_of(made))
        return
    with file.open("ab") as kept:
        kept.write(line_of(made))
    out.print(f"{file}: entry {made.head.sequence:,} is signed.", markup=False)


@app.command("verify")
def verify_export(
    file: Annotated[Path, typer.Argument(help="From `audit export`.", exists=True)],
    public_key: Annotated[
        list[Path],
        typer.Option(help="PEM of a key that you trust; again for each router."),
    ],
    *,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(help="An earlier checkpoint that you kept: a file, or JSON."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove an export without its router. Exit status 1 where something is wrong."""
    try:
        keys = {read_public_key(path) for path in public_key}
        kept = [one for text in checkpoint or () for one in read_kept(text)]
    except FieldInvalid as error:
        raise typer.BadParameter(error.message) from error
    with file.open("rb") as lines:
        report = verify(bounded_lines(lines), public_keys=keys, kept=kept)
    if as_json:
        print_json(report_json(report))
    else:
        for line in report_lines(report, kept=len(kept)):
            out.print(line, markup=False)
    raise typer.Exit(0 if report.is_good else 1)


class DaemonSource:
    """The audit log of the daemon behind a stub."""

    def __init__(self, stub: pb_grpc.AuditServiceStub) -> None:
        self._stub = stub

    async def sign(self) -> Checkpoint | None:
        """Ask for a signature now."""
        response = await self._stub.CreateCheckpoint(
            pb.CreateCheckpointRequest(), timeout=CALL_TIMEOUT_S
        )
        if not response.HasField("checkpoint"):
            return None
        return checkpoint_of(response.checkpoint)

    async def entries(self, *, after: int) -> EntryPage:
        """Ask for a page of entries."""
        response = await self._stub.ListEntries(
            pb.ListEntriesRequest(after=after, page_size=PAGE_SIZE_MAX),
            timeout=CALL_TIMEOUT_S,
        )
        return EntryPage(response.ledger_id, tuple(map(_entry, response.entries)))

    async def checkpoints(self, *, after: int) -> tuple[Checkpoint, ...]:
        """Ask for a page of checkpoints."""
        response = await self._stub.ListCheckpoints(
            pb.ListCheckpointsRequest(after=after, page_size=PAGE_SIZE_MAX),
            timeout=CALL_TIMEOUT_S,
        )
        return tuple(map(checkpoint_of, response.checkpoints))


def _entry(message: pb.AuditEntry) -> ExportedEntry:
    return ExportedEntry(
        sequence=message.sequence,
        time_us=message.time_us,
        kind=message.kind,
        account=message.account or None,
        request_id=message.request_id or None,
        detail=message.detail,
        hash=message.hash,
    )
