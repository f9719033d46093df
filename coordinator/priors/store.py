"""Where published priors are kept.

Decides the rows of publications. `insert` runs inside the transaction that ends the
round, so that a round is PUBLISHED exactly when its priors are there.
"""

import asyncio
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select
from sqlalchemy import insert as insert_into

from coordinator import schema
from coordinator.rounds.state import State
from federated_router.kit.database import Database
from federated_router.kit.errors import (
    FieldInvalid,
    PriorsUnknown,
    RoundStateWrong,
)
from federated_router.priors.blocks import Block
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
        return None if row is None else await asyncio.to_thread(_priors, row)

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
        return await asyncio.to_thread(_priors, row)


def insert(connection: Connection, priors: Priors) -> None:
    """Store priors inside the caller's transaction.

    Raises RoundStateWrong unless their round is PUBLISHED in this transaction: what a
    round that was rejected had opened is never kept.
    """
    _require_published(connection, priors.round_name)
    sums = priors.catalogue.flatten(priors.contents)
    values = {
        "revision": priors.revision,
        "round": priors.round_name,
        "create_s": priors.create_time_s,
        "catalogue_json": catalogue_to_json(priors.catalogue),
        "members": priors.members,
        "noise_standard_deviation": priors.noise_standard_deviation,
        "noise_by_block_json": json.dumps(dict(priors.noise_by_block)),
        "sums": np.array(sums, dtype="<i8").tobytes(),
        "withdrawn_revision": priors.withdrawn_revision,
    }
    connection.execute(insert_into(schema.priors).values(values))


def _require_published(connection: Connection, round_name: str) -> None:
    statement = select(schema.rounds.c.state).where(schema.rounds.c.name == round_name)
    state = connection.execute(statement).scalar()
    if state != State.PUBLISHED.value:
        raise RoundStateWrong(
            "Only a published round leaves priors.",
            metadata={"round": round_name, "state": str(state)},
        )


def catalogue_to_json(catalogue: Catalogue) -> str:
    """Return a catalogue as stored."""
    return json.dumps(asdict(catalogue))


def catalogue_from_json(text: str) -> Catalogue:
    """Return a stored catalogue; what an older version did not store has its default.

    Raises FieldInvalid for a block that this version does not know.
    """
    stored: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(text).items()
    }
    if "blocks" in stored:
        stored["blocks"] = tuple(map(_block, stored["blocks"]))
    return Catalogue(**stored)


def _block(name: str) -> Block:
    try:
        return Block(name)
    except ValueError:
        raise FieldInvalid(
            f"The store holds a block {name!r} of a newer version.", field="blocks"
        ) from None


def _priors(row: Row[tuple[object, ...]]) -> Priors:
    catalogue = catalogue_from_json(row.catalogue_json)
    sums = [int(value) for value in np.frombuffer(row.sums, dtype="<i8")]
    noise_by_block = json.loads(row.noise_by_block_json)
    return Priors(
        revision=row.revision,
        round_name=row.round,
        create_time_s=row.create_s,
        catalogue=catalogue,
        members=row.members,
        noise_standard_deviation=row.noise_standard_deviation,
        contents=catalogue.decode(sums),
        noise_by_block={_block(name): std for name, std in noise_by_block.items()},
        withdrawn_revision=row.withdrawn_revision,
    )
