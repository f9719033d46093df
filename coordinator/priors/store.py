"""Where published priors are kept.

Decides the rows of publications. `insert` runs inside the transaction that ends the
round, so that a round is PUBLISHED exactly when its priors are there.
"""

import json
from dataclasses import asdict

import numpy as np
from sqlalchemy import Connection, Row, func, select
from sqlalchemy import insert as insert_into

from coordinator import schema
from federated_router.kit.database import Database
from federated_router.kit.errors import PriorsUnknown
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.publication import Priors


class PriorsStore:
    """Reads what was published."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest_revision(self) -> int:
        """Return the newest revision; 0 before the first."""
        statement = select(func.max(schema.priors.c.revision))
        async with self._database.read("newest revision") as connection:
            return int((await connection.execute(statement)).scalar() or 0)

    async def newest(self) -> Priors | None:
        """Return the newest priors; None before the first."""
        statement = (
            select(schema.priors).order_by(schema.priors.c.revision.desc()).limit(1)
        )
        async with self._database.read("newest priors") as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _priors(row)

    async def of_revision(self, revision: int) -> Priors:
        """Return the priors of a revision; raise PriorsUnknown where there are none."""
        statement = select(schema.priors).where(schema.priors.c.revision == revision)
        async with self._database.read("priors") as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise PriorsUnknown(
                "No round has published this revision; ask for revision 0, the newest.",
                metadata={"revision": str(revision)},
            )
        return _priors(row)


def insert(connection: Connection, priors: Priors) -> None:
    """Store priors inside the caller's transaction."""
    sums = [
        count
        for cell in priors.catalogue.cells
        for count in (
            *priors.performance[cell].latency_counts,
            priors.performance[cell].failures,
        )
    ]
    values = {
        "revision": priors.revision,
        "round": priors.round_name,
        "create_s": priors.create_time_s,
        "catalogue_json": catalogue_to_json(priors.catalogue),
        "members": priors.members,
        "noise_standard_deviation": priors.noise_standard_deviation,
        "sums": np.array(sums, dtype="<i8").tobytes(),
    }
    connection.execute(insert_into(schema.priors).values(values))


def catalogue_to_json(catalogue: Catalogue) -> str:
    """Return a catalogue as stored."""
    return json.dumps(asdict(catalogue))


def catalogue_from_json(text: str) -> Catalogue:
    """Return a stored catalogue."""
    stored = json.loads(text)
    return Catalogue(
        version=stored["version"],
        models=tuple(stored["models"]),
        regions=tuple(stored["regions"]),
        latency_bounds_ms=tuple(stored["latency_bounds_ms"]),
        slot_max=stored["slot_max"],
    )


def _priors(row: Row[tuple[object, ...]]) -> Priors:
    catalogue = catalogue_from_json(row.catalogue_json)
    sums = [int(value) for value in np.frombuffer(row.sums, dtype="<i8")]
    return Priors(
        revision=row.revision,
        round_name=row.round,
        create_time_s=row.create_s,
        catalogue=catalogue,
        members=row.members,
        noise_standard_deviation=row.noise_standard_deviation,
        performance=catalogue.decode(sums),
    )
