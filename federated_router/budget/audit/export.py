"""How an export is drawn from a running router: page by page, signed to its last line.

Decides that the newest entry is signed first and that the export ends there, so that
every line of it is covered; refuses to know the wire and the file. What is appended
meanwhile belongs to the next export.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from federated_router.budget.audit.format import End, ExportedEntry, Header, Record
from federated_router.budget.checkpoint import Checkpoint
from federated_router.kit.errors import Internal


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries in order; none behind the end."""

    ledger_id: bytes
    entries: tuple[ExportedEntry, ...]


class AuditSource(Protocol):
    """Where an audit log is read: a router, or a ledger in a test."""

    async def sign(self) -> Checkpoint | None:
        """Sign the newest entry; None while there is no entry."""
        ...

    async def entries(self, *, after: int) -> EntryPage:
        """Return a page of entries after that place."""
        ...

    async def checkpoints(self, *, after: int) -> tuple[Checkpoint, ...]:
        """Return a page of checkpoints of entries after that place."""
        ...


async def export(
    source: AuditSource,
    write: Callable[[Record], None],
    tell: Callable[[int, int], None],
) -> End:
    """Write every record of the log in its order; return what the last one counts.

    `tell` hears how many entries of how many are written. Raises Internal where the
    router's pages end before the entry that it has signed.
    """
    newest = await source.sign()
    last = 0 if newest is None else newest.head.sequence
    page = await source.entries(after=0)
    write(Header(page.ledger_id))
    checkpoints = _checkpoints(source, last)
    checkpoint = await anext(checkpoints, None)
    written = signed = 0
    while written < last:
        for entry in page.entries[: last - written]:
            write(entry)
            written = entry.sequence
            while checkpoint is not None and checkpoint.head.sequence <= written:
                write(checkpoint)
                signed += 1
                checkpoint = await anext(checkpoints, None)
        tell(written, last)
        if written < last:
            page = await _next_page(source, after=written)
    end = End(written, signed)
    write(end)
    return end


async def _next_page(source: AuditSource, *, after: int) -> EntryPage:
    page = await source.entries(after=after)
    if not page.entries:
        raise Internal(
            f"The router signed more entries than it tells: none follow {after}."
        )
    return page


async def _checkpoints(source: AuditSource, last: int) -> AsyncIterator[Checkpoint]:
    """Yield the checkpoints up to `last` in order, fetching pages as they are used."""
    after = 0
    while page := await source.checkpoints(after=after):
        for checkpoint in page:
            after = checkpoint.head.sequence
            if after > last:
                return
            yield checkpoint
