"""Where members' conduct is kept, for the newest rounds.

Decides the rows. `insert_conduct` runs inside the transaction that ends the round, and
forgets rounds that are too old to be looked at.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Row, Select, delete, insert, select

from coordinator import schema
from coordinator.robust.offenders import Conduct, Standing, standing
from federated_router.crypto.transcript import MemberName
from federated_router.kit.database import Database

_Found = Row[tuple[object, ...]]


class OffenderStore:
    """Reads how members behaved."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, member: MemberName) -> Standing:
        """Return one member's standing; all zero for a member of no kept round."""
        table = schema.conduct
        found = await self._conduct(select(table).where(table.c.member == member))
        return standing(member, found.get(member, ()))

    async def all(self) -> tuple[Standing, ...]:
        """Return every member's standing, by name."""
        found = await self._conduct(select(schema.conduct))
        return tuple(standing(member, found[member]) for member in sorted(found))

    async def _conduct(
        self, statement: Select[tuple[object, ...]]
    ) -> dict[MemberName, list[Conduct]]:
        by_member: dict[MemberName, list[Conduct]] = defaultdict(list)
        async with self._database.read("conduct") as connection:
            for row in await connection.execute(statement):
                one = _read(row)
                by_member[one.member].append(one)
        return by_member


def insert_conduct(
    connection: Connection,
    round_name: str,
    rounds: Sequence[Conduct],
    *,
    rounds_max: int,
) -> None:
    """Store a round's conduct inside the caller's transaction, and forget old ones."""
    table = schema.conduct
    rows = [
        {
            "round": round_name,
            "member": one.member,
            "lied": int(one.lied),
            "inconsistent": int(one.inconsistent),
            "outlying": int(one.outlying),
            "outlying_chance": one.outlying_chance,
        }
        for one in rounds
    ]
    if rows:
        connection.execute(insert(table), rows)
    kept = (
        select(schema.rounds.c.name)
        .where(
            select(table.c.member).where(table.c.round == schema.rounds.c.name).exists()
        )
        .order_by(schema.rounds.c.sequence.desc())
        .limit(rounds_max)
    )
    names = [name for (name,) in connection.execute(kept)]
    connection.execute(delete(table).where(table.c.round.not_in(names)))


def _read(row: _Found) -> Conduct:
    return Conduct(
        member=MemberName(row.member),
        lied=bool(row.lied),
        inconsistent=bool(row.inconsistent),
        outlying=bool(row.outlying),
        outlying_chance=row.outlying_chance,
    )
