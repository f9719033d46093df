"""Tables of other stores that lie beside the ledger's and rest on its reservations.

Decides what a backup needs to know of such a store to carry its rows, and what a
restore must ask of it. Refuses to know any store: whoever calls brings them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sqlalchemy import Connection, Table

from federated_router.kit.errors import FieldInvalid, NotNow
from federated_router.kit.migration import newest_revision, schema_revision


@dataclass(frozen=True, slots=True)
class Annex:
    """One store: its name in backups, its package of migrations, its tables.

    `tables` are in the order in which rows may be inserted. `settle` is called once the
    rows are back, with whether the operator says that nothing happened after the
    backup; it makes sure that nothing is released twice, and returns how many things
    it stopped. It raises ValueError for rows that contradict the ledger's.
    """

    name: str
    migrations: str
    tables: tuple[Table, ...]
    settle: Callable[[Connection, bool], int]

    @property
    def directory(self) -> Path:
        """Return where the store's schema revisions are."""
        return Path(str(files(self.migrations)))


def check_revision(found: str, expected: str, *, what: str) -> None:
    """Raise NotNow unless a schema is of the revision that this program works with."""
    if found != expected:
        raise NotNow(
            f"{what} is of schema revision {found or 'none'}, and this program works "
            f"with {expected}. Use the version that wrote it, then upgrade.",
            metadata={"found": found, "expected": expected},
        )


def revisions_in(connection: Connection, annexes: Sequence[Annex]) -> dict[str, str]:
    """Return the revision of each annex whose tables are in the database.

    Raises NotNow for another revision than this program's.
    """
    found = {one.name: schema_revision(connection, one.directory) for one in annexes}
    for one in annexes:
        if found[one.name]:
            expected = newest_revision(one.directory)
            check_revision(found[one.name], expected, what=f"The store of {one.name}")
    return {name: revision for name, revision in found.items() if revision}


def annexes_named(names: Mapping[str, str], known: Sequence[Annex]) -> list[Annex]:
    """Return the annexes of a backup; raise FieldInvalid for one that is not known."""
    by_name = {one.name: one for one in known}
    if not by_name.keys() >= names.keys():
        raise FieldInvalid(
            "The backup holds more than a ledger; restore it with the command that "
            "took it.",
            field="backup",
        )
    return [by_name[name] for name in names]
