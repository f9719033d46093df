"""Where rounds are kept: every transition is one transaction.

Decides how a transition becomes rows, that one coordinator at a time writes a round,
and that bodies and answers go when it ends. Refuses to decide transitions
(`lifecycle`) and to keep anything that is not encrypted, sealed or public.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from coordinator import schema
from coordinator.priors import store as priors_store
from coordinator.rounds import rows
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import ENDED
from federated_router.crypto.transcript import MemberName
from federated_router.kit.database import Database
from federated_router.kit.errors import (
    RequestIdReused,
    RoundStateWrong,
    RoundUnknown,
    StoreUnavailable,
)
from federated_router.priors.publication import Priors

_ENDED = [state.value for state in ENDED]


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for a round: an id of the caller's and a digest of what it asked."""

    request_id: str | None
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """A contribution's bytes, stored with the transition that accepts them."""

    member: MemberName
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Rounds with their sequence numbers, newest first; whether there are more."""

    rounds: tuple[tuple[int, Round], ...]
    more: bool


class RoundStore:
    """Rounds in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, round_: Round, request: Request) -> Round:
        """Store a new round, or return the one that the same request made.

        Raises:
            RequestIdReused: the id was used for another request.
            RoundStateWrong: another round has not ended.
        """
        return await self._database.write(
            "create round", lambda connection: _create(connection, round_, request)
        )

    async def save(
        self,
        before: Round,
        after: Round,
        *,
        body: Body | None = None,
        priors: Priors | None = None,
    ) -> Round:
        """Store a transition with what belongs to it; return `after` as stored.

        Raises:
            StoreUnavailable: another coordinator has moved this round meanwhile.
        """
        stored = replace(after, version=before.version + 1)

        def work(connection: Connection) -> None:
            _save(connection, before, stored)
            if body is not None:
                _insert_body(connection, stored, body)
            if priors is not None:
                priors_store.insert(connection, priors)

        await self._database.write("save round", work)
        return stored

    async def load(self, name: RoundName) -> Round:
        """Return a round; raise RoundUnknown."""
        found = await self._one(_rounds().where(schema.rounds.c.name == name))
        if found is None:
            raise RoundUnknown(
                "No round has this name; list the rounds.", metadata={"round": name}
            )
        return found

    async def of_request(self, request: Request) -> Round | None:
        """Return the round that a request made; raise RequestIdReused."""
        async with self._database.read("round of request") as connection:
            return await connection.run_sync(_of_request, request)

    async def newest(self) -> Round | None:
        """Return the newest round, ended or not."""
        return await self._one(_rounds().order_by(schema.rounds.c.sequence.desc()))

    async def page(self, *, size: int, before: int) -> Page:
        """Return at most `size` rounds older than `before`; 0 begins at the newest."""
        table = schema.rounds
        statement = _rounds().order_by(table.c.sequence.desc()).limit(size + 1)
        if before:
            statement = statement.where(table.c.sequence < before)

        def work(connection: Connection) -> Page:
            found = list(connection.execute(statement))
            rounds = tuple(
                (int(row.sequence), rows.read_round(connection, row))
                for row in found[:size]
            )
            return Page(rounds, len(found) > size)

        async with self._database.read("page of rounds") as connection:
            return await connection.run_sync(work)

    async def ciphertext(self, round_: Round, member: MemberName) -> bytes:
        """Return the first part of a member's body."""
        (part,) = await self._parts(round_, (member,), 0, round_.ciphertext_bytes)
        return part

    async def sealed_shares(
        self, round_: Round, holder: MemberName, dealers: Sequence[MemberName]
    ) -> list[bytes]:
        """Return the shares that `dealers` sealed to `holder`, in their order."""
        place = round_.roster.index(holder)
        start = round_.ciphertext_bytes + place * round_.sealed_share_bytes
        return await self._parts(round_, dealers, start, round_.sealed_share_bytes)

    async def _parts(
        self, round_: Round, members: Sequence[MemberName], start: int, length: int
    ) -> list[bytes]:
        """Return the same part of several bodies; the rest never leaves the store."""
        table = schema.contributions
        part = func.substr(table.c.body, start + 1, length)
        statement = select(table.c.member, part).where(
            table.c.round == round_.name, table.c.member.in_(members)
        )
        async with self._database.read("parts of bodies") as connection:
            found = {row[0]: row[1] for row in await connection.execute(statement)}
        if any(not found.get(member) for member in members):
            raise StoreUnavailable("A contribution of this round is not in the store.")
        return [bytes(found[member]) for member in members]

    async def _one(self, statement: Select[tuple[object, ...]]) -> Round | None:
        def work(connection: Connection) -> Round | None:
            row = connection.execute(statement.limit(1)).one_or_none()
            return None if row is None else rows.read_round(connection, row)

        async with self._database.read("round") as connection:
            return await connection.run_sync(work)


def _rounds() -> Select[tuple[object, ...]]:
    return select(schema.rounds)


def _create(connection: Connection, round_: Round, request: Request) -> Round:
    known = _of_request(connection, request)
    if known is not None:
        return known
    table = schema.rounds
    running = select(table.c.name).where(table.c.state.not_in(_ENDED)).limit(1)
    other = connection.execute(running).scalar()
    if other is not None:
        raise RoundStateWrong(
            f"{other} has not ended, and one round runs at a time.",
            metadata={"round": str(other)},
        )
    values = {
        "name": round_.name,
        "request_id": request.request_id,
        "request_sha256": request.sha256,
        "terms_json": rows.terms_to_json(round_.terms),
    }
    connection.execute(insert(table).values({**values, **rows.round_row(round_)}))
    connection.execute(insert(schema.history), rows.history_rows(round_))
    return round_


def _of_request(connection: Connection, request: Request) -> Round | None:
    table = schema.rounds
    if request.request_id is None:
        return None
    statement = _rounds().where(table.c.request_id == request.request_id)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != request.sha256:
        raise RequestIdReused(
            "This request id opened a round of another kind; choose a new id.",
            metadata={"request_id": request.request_id, "round": str(row.name)},
        )
    return rows.read_round(connection, row)


def _save(connection: Connection, before: Round, after: Round) -> None:
    """Write what differs, once it is certain that nobody else wrote since `before`."""
    table = schema.rounds
    moved = connection.execute(
        update(table)
        .where(table.c.name == after.name, table.c.version == before.version)
        .values(rows.round_row(after))
    )
    if moved.rowcount != 1:
        raise StoreUnavailable(
            "Another coordinator moves this round; stop one of them.",
            metadata={"round": after.name},
        )
    new = rows.history_rows(after)[len(before.history) :]
    if new:
        connection.execute(insert(schema.history), new)
    _save_members(connection, before, after)
    _save_answers(connection, before, after)
    if after.ended and not before.ended:
        _forget(connection, after)


def _save_members(connection: Connection, before: Round, after: Round) -> None:
    known = rows.member_rows(before)
    table = schema.members
    for name, row in rows.member_rows(after).items():
        if name not in known:
            connection.execute(insert(table).values(row))
        elif known[name] != row:
            same = (table.c.round == after.name) & (table.c.member == name)
            connection.execute(update(table).where(same).values(row))


def _save_answers(connection: Connection, before: Round, after: Round) -> None:
    for name, share_sum in after.answers.items():
        if name not in before.answers:
            row = {"round": after.name, "member": name, "share_sum": share_sum}
            connection.execute(insert(schema.answers).values(row))


def _insert_body(connection: Connection, after: Round, body: Body) -> None:
    accepted = after.contributions[body.member]
    row = {
        "round": after.name,
        "member": body.member,
        "sha256": accepted.sha256,
        "signature": accepted.signature,
        "size_bytes": accepted.size_bytes,
        "body": body.content,
    }
    connection.execute(insert(schema.contributions).values(row))


def _forget(connection: Connection, after: Round) -> None:
    """Delete what could still be opened; digests and sizes stay."""
    bodies, given = schema.contributions, schema.answers
    connection.execute(
        update(bodies).where(bodies.c.round == after.name).values(body=None)
    )
    connection.execute(delete(given).where(given.c.round == after.name))
