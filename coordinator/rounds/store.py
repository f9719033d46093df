"""Where rounds are kept: every transition is one transaction.

Decides what is written and read together, and that one round runs at a time. Refuses to
decide transitions (`lifecycle`), which rows one becomes (`round_writes`), and to keep
anything that is not encrypted, sealed or public.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, Select, insert, select

from coordinator import schema
from coordinator.priors import store as priors_store
from coordinator.rounds import check_rows, round_writes, rows, share_rows
from coordinator.rounds.contents import NOTHING, Contents
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.spool import Spool
from coordinator.rounds.state import ENDED
from coordinator.validation import store as report_store
from coordinator.validation.judgement import Judgement
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


CONDUCT_ROUNDS_MAX: Final = 100
"""Rounds of which members' conduct is kept, unless configured otherwise."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for a round: an id of the caller's and a digest of what it asked."""

    request_id: str | None
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Rounds with their sequence numbers, newest first; whether there are more."""

    rounds: tuple[tuple[int, Round], ...]
    more: bool


class RoundStore:
    """Rounds in SQLite or PostgreSQL."""

    def __init__(
        self, database: Database, *, conduct_rounds_max: int = CONDUCT_ROUNDS_MAX
    ) -> None:
        self._database = database
        self._conduct_rounds_max = conduct_rounds_max
        self._spool = Spool()

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
        contents: Contents = NOTHING,
        priors: Priors | None = None,
        judgement: Judgement | None = None,
    ) -> Round:
        """Store a transition with what belongs to it; return `after` as stored.

        It may be several at once; `contents` belongs to what is new.

        Raises:
            StoreUnavailable: another coordinator has moved this round meanwhile.
        """
        stored = replace(after, version=before.version + 1)

        def work(connection: Connection) -> None:
            round_writes.save(connection, before, stored, contents)
            if priors is not None:
                priors_store.insert(connection, priors)
            if judgement is not None:
                report_store.insert_judgement(
                    connection, stored, judgement, rounds_max=self._conduct_rounds_max
                )

        await self._database.write("save round", work)
        if stored.ended:
            await self._spool.clear()
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
        async with self._database.read("ciphertext") as connection:
            found = await connection.run_sync(share_rows.ciphertext, round_, member)
        if not found:
            raise _not_there("contribution")
        return found

    async def checks(self, round_: Round) -> AsyncIterator[Mapping[MemberName, bytes]]:
        """Yield the holders' checks, a few at a time; StoreUnavailable for a gap."""
        last, missing = None, len(round_.checks)
        while missing > 0:
            async with self._database.read("checks") as connection:
                page = await connection.run_sync(check_rows.page, round_.name, last)
            if not page:
                raise _not_there("check")
            yield page
            *_, last = page
            missing -= len(page)

    async def sealed_shares(self, round_: Round, holder: MemberName) -> bytes:
        """Return the shares that the contributors sealed to `holder`, in their order.

        From CHECKING on, when the contributors are fixed.
        """

        async def rows_from(place: int) -> list[bytes]:
            async with self._database.read("sealed shares") as connection:
                found = await connection.run_sync(
                    share_rows.shares_from, round_, place, round_.contributors
                )
            dealt = [shares for shares in found if shares is not None]
            if len(dealt) < len(found):
                raise _not_there("contribution")
            return dealt

        place = round_.roster.index(holder)
        return await self._spool.read(
            round_.name,
            place,
            size=round_.layout.sealed_bytes(place + 1),
            first_place=share_rows.first_place(round_, place),
            rows=rows_from,
        )

    async def _one(self, statement: Select[tuple[object, ...]]) -> Round | None:
        def work(connection: Connection) -> Round | None:
            row = connection.execute(statement.limit(1)).one_or_none()
            return None if row is None else rows.read_round(connection, row)

        async with self._database.read("round") as connection:
            return await connection.run_sync(work)


def _not_there(what: str) -> StoreUnavailable:
    return StoreUnavailable(f"A {what} of this round is not in the store.")


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
