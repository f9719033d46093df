"""`budget backup` and `budget restore`: the ledger in a file, and back again.

Both talk to the database itself, not to a router: a backup is taken while routers run,
a restore while none does. What a restore may forget is said, whatever else happens.
"""

import asyncio
import getpass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import Progress

from federated_router.budget.audit.calendar import rfc3339
from federated_router.budget.audit.kept import read_kept
from federated_router.budget.backup.archive import back_up
from federated_router.budget.backup.restore import Restore, RestoreSummary, restore
from federated_router.budget.settings import BudgetSettings
from federated_router.cli.screen import err, out, print_json, table
from federated_router.cli.session import AsJson
from federated_router.config import RouterSettings
from federated_router.kit.clock import SystemClock
from federated_router.kit.config import ConfigurationError, load
from federated_router.kit.errors import FieldInvalid
from federated_router.synthesis.backup import SYNTHESES

ANNEXES = (SYNTHESES,)
File = Annotated[Path, typer.Argument(help="The backup.")]
Url = Annotated[str, typer.Option(help="The ledger's database, as in router.toml.")]
Config = Annotated[
    Path | None, typer.Option(help="A router's TOML file, in place of --url.")
]


def backup_ledger(
    file: File,
    *,
    url: Url = "",
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write every row of the ledger to one file while routers go on using it."""
    address = ledger_url(url, config)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("rows", total=None)

        def tell(name: str, rows: int) -> None:
            progress.update(task, description=name, completed=rows)

        made = asyncio.run(
            back_up(
                address,
                file,
                clock=SystemClock(),
                tell=tell,
                overwrite=force,
                annexes=ANNEXES,
            )
        )
    header = made.header
    if as_json:
        print_json(
            {
                "file": str(file),
                "ledger_id": header.head.ledger_id.hex(),
                "sequence": header.head.sequence,
                "time_us": header.time_us,
                "schema_revision": header.schema_revision,
                "rows": dict(made.rows),
            }
        )
        return
    table(("table", "rows"), list(made.rows.items()))
    out.print(
        f"{file}: the ledger up to entry {header.head.sequence:,}, read back and "
        "found whole. It holds published answers and synthesis texts; keep it as you "
        "keep the ledger.",
        markup=False,
    )


def restore_ledger(
    file: File,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
    url: Url = "",
    config: Config = None,
    operator: Annotated[
        str, typer.Option(help="Who restores, for the audit log; else you.")
    ] = "",
    newest_checkpoint: Annotated[
        str, typer.Option(help="The newest checkpoint that you kept: a file, or JSON.")
    ] = "",
    accept_lost_charges: Annotated[
        bool,
        typer.Option(
            "--accept-lost-charges",
            help="Restore although the checkpoint proves later charges.",
        ),
    ] = False,
    nothing_since: Annotated[
        bool,
        typer.Option(
            "--nothing-since",
            help="Nothing was sampled after the backup: synthesis jobs may go on.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a ledger back into an empty database. Stop every router first."""
    try:
        kept = read_kept(newest_checkpoint) if newest_checkpoint else ()
    except FieldInvalid as error:
        raise typer.BadParameter(error.message) from error
    wanted = Restore(
        path=file,
        restored_by=operator or getpass.getuser(),
        reason=reason,
        newest=kept,
        accept_lost_charges=accept_lost_charges,
        nothing_since=nothing_since,
        annexes=ANNEXES,
    )
    made = asyncio.run(
        restore(ledger_url(url, config), wanted, clock=SystemClock(), tell=_tell)
    )
    for line in (warning(made, checked=bool(kept)), *jobs_lines(made)):
        err.print(line, markup=False)
    if as_json:
        print_json(
            {
                "ledger_id": made.head.ledger_id.hex(),
                "backup_sequence": made.header.head.sequence,
                "backup_time_us": made.header.time_us,
                "sequence": made.head.sequence,
                "lost_after": made.lost_after,
                "stopped": dict(made.stopped),
            }
        )
        return
    out.print(
        f"Restored up to entry {made.header.head.sequence:,}; entry "
        f"{made.head.sequence:,} says so. Balances and chain agree."
    )


def warning(made: RestoreSummary, *, checked: bool) -> str:
    """Return what the operator must know about charges that may be forgotten."""
    if made.lost_after is not None:
        lost = made.lost_after - made.header.head.sequence
        return (
            f"FORGOTTEN: {lost:,} entries that a checkpoint proves are lost. What they "
            "charged was learned and is no longer counted. Close the accounts that "
            "were in use, or lower what may still be learned."
        )
    when = rfc3339(made.header.time_us)
    if checked:
        return (
            f"The checkpoint is in the backup. Whatever was charged after {when}, and "
            "after the checkpoint, is forgotten."
        )
    return (
        f"WARNING: whatever was charged after {when} is forgotten, and nobody checked "
        "whether anything was. People may learn more than the budgets say. Give "
        "--newest-checkpoint to be sure."
    )


def jobs_lines(made: RestoreSummary) -> list[str]:
    """Return what became of synthesis jobs, where there is something to say."""
    if SYNTHESES.name not in made.header.annexes:
        return ["The backup holds no synthesis jobs; their texts are lost."]
    stopped = made.stopped[SYNTHESES.name]
    if not stopped:
        return []
    told = (
        f"Synthesis jobs under way that take no further batch: {stopped:,}. Batches "
        "that were sampled after the backup are not known, and none is sampled twice. "
        "`synthesise --resume` writes the texts that are here."
    )
    return [told]


def ledger_url(url: str, config: Path | None) -> str:
    """Return the address that was given, by itself or in a router's configuration."""
    if bool(url) == (config is not None):
        raise typer.BadParameter("give either --url or --config")
    try:
        if config is not None:
            return load(config, RouterSettings).budget.url
        return BudgetSettings(url=url).url
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error
    except ValidationError as error:
        # Without the address: what was refused there is a password.
        told = "; ".join(one["msg"] for one in error.errors(include_input=False))
        raise typer.BadParameter(told) from None


def _tell(name: str, rows: int) -> None:
    if err.is_terminal:
        err.print(f"{name}: {rows:,} rows", markup=False)
