"""Between a round and its rows.

Decides which column holds which fact, and reads a round back whole. Refuses to know
transactions and who asks (`store`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Self

from sqlalchemy import Connection, Row, Select, Table, select

from coordinator import schema
from coordinator.priors.store import catalogue_from_json
from coordinator.rounds import check_rows
from coordinator.rounds.participants import Contribution, JoinedMember, Progress
from coordinator.rounds.round import Round, RoundName, StateEntry
from coordinator.rounds.state import State
from coordinator.rounds.terms import Durations, Terms
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash

Cell = bytes | float | int | str | None
AnyRow = Row[tuple[object, ...]]


def terms_to_json(terms: Terms) -> str:
    """Return the terms as stored."""
    return json.dumps(asdict(terms))


def terms_from_json(text: str) -> Terms:
    """Return stored terms."""
    stored = json.loads(text)
    catalogue = catalogue_from_json(json.dumps(stored.pop("catalogue")))
    durations = Durations(**{"checking_s": 0.0, **stored.pop("durations")})
    # Rounds of before cohorts kept what the layout says now.
    stored.pop("sensitivity_squared", None)
    return Terms(catalogue=catalogue, durations=durations, **stored)


def round_row(round_: Round) -> dict[str, Cell]:
    """Return the columns of `rounds` that a transition may change."""
    return {
        "state": round_.state.value,
        "deadline_s": round_.deadline_s,
        "roster_hash": round_.roster_hash,
        "beacon": round_.beacon,
        "end_cause": round_.end_cause,
        "priors_revision": round_.priors_revision,
        "reservation": round_.reservation,
        "version": round_.version,
    }


def member_rows(
    round_: Round, *, since: Round | None = None
) -> dict[MemberName, dict[str, Cell]]:
    """Return the rows of `round_members`, by member; only those new `since` a round."""
    standing = _Standing.of(round_)
    moved = since is None or _Standing.of(since) != standing
    return {
        name: _member_row(round_.name, member, standing)
        for name, member in round_.members.items()
        if moved or since is None or since.members.get(name) is not member
    }


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where members stand in a round, and what was found about them."""

    roster: dict[MemberName, int]
    survivors: dict[MemberName, int]
    liars: frozenset[MemberName]
    inconsistent: frozenset[MemberName]
    disputed: frozenset[MemberName]

    @classmethod
    def of(cls, round_: Round) -> Self:
        """Return what is true of a round's members."""
        return cls(
            {name: place for place, name in enumerate(round_.roster)},
            {name: place for place, name in enumerate(round_.survivors)},
            frozenset(round_.liars),
            frozenset(round_.inconsistent),
            frozenset(round_.disputed),
        )


def _member_row(
    round_name: RoundName, member: JoinedMember, standing: _Standing
) -> dict[str, Cell]:
    name = member.binding.member
    return {
        "round": round_name,
        "member": name,
        "signing_key": member.binding.keys.signing,
        "sealing_key": member.binding.keys.sealing,
        "not_after_s": member.binding.not_after_s,
        "binding_signature": member.binding.signature,
        "certificate_der": member.certificate_der,
        "commitment": member.commitment,
        "nonce": member.nonce,
        "roster_place": standing.roster.get(name),
        "survivor_place": standing.survivors.get(name),
        "lied": int(name in standing.liars),
        "inconsistent": int(name in standing.inconsistent),
        "disputed": int(name in standing.disputed),
        "expelled": int(member.expelled),
        **asdict(member.progress),
    }


def history_rows(round_: Round) -> list[dict[str, Cell]]:
    """Return the rows of `round_history`, in order."""
    return [
        {
            "round": round_.name,
            "position": position,
            "state": entry.state.value,
            "enter_s": entry.enter_s,
        }
        for position, entry in enumerate(round_.history)
    ]


def read_round(connection: Connection, row: AnyRow) -> Round:
    """Return the round of a row of `rounds`, with everything but the bodies."""
    members = _all(connection, schema.members, row.name)
    history = _history(connection, row.name)
    contributions = _contributions(connection, row.name)
    checked = any(entry.state is State.CHECKING for entry in history)
    return Round(
        name=RoundName(row.name),
        terms=terms_from_json(row.terms_json),
        state=State(row.state),
        deadline_s=row.deadline_s,
        history=history,
        members=MappingProxyType(
            {MemberName(member.member): _member(member) for member in members}
        ),
        roster=_placed(members, "roster_place"),
        roster_hash=RosterHash(row.roster_hash),
        beacon=row.beacon,
        contributions=contributions,
        contributors=tuple(contributions) if checked else (),
        checks=check_rows.digests(connection, RoundName(row.name)),
        inconsistent=_marked(members, "inconsistent"),
        disputed=_marked(members, "disputed"),
        survivors=_placed(members, "survivor_place"),
        answers=MappingProxyType(
            {
                MemberName(answer.member): answer.share_sum
                for answer in _all(connection, schema.answers, row.name)
            }
        ),
        liars=_marked(members, "lied"),
        end_cause=row.end_cause,
        priors_revision=row.priors_revision,
        reservation=row.reservation,
        version=row.version,
    )


def _all(connection: Connection, table: Table, name: str) -> list[AnyRow]:
    statement: Select[tuple[object, ...]] = (
        select(table).where(table.c.round == name).order_by(table.c.member)
    )
    return list(connection.execute(statement))


def _history(connection: Connection, name: str) -> tuple[StateEntry, ...]:
    table = schema.history
    statement = select(table).where(table.c.round == name).order_by(table.c.position)
    return tuple(
        StateEntry(State(row.state), row.enter_s)
        for row in connection.execute(statement)
    )


def _contributions(
    connection: Connection, name: str
) -> Mapping[MemberName, Contribution]:
    """Read everything but the bodies, which may be large."""
    table = schema.contributions
    statement = select(
        table.c.member, table.c.sha256, table.c.signature, table.c.size_bytes
    ).where(table.c.round == name)
    return MappingProxyType(
        {
            MemberName(row.member): Contribution(
                row.sha256, row.signature, row.size_bytes
            )
            for row in connection.execute(statement.order_by(table.c.member))
        }
    )


def _member(row: AnyRow) -> JoinedMember:
    keys = PublicKeys(row.signing_key, row.sealing_key)
    member = MemberName(row.member)
    binding = KeyBinding(member, keys, row.not_after_s, row.binding_signature)
    times = {field.name: row._mapping[field.name] for field in fields(Progress)}  # noqa: SLF001 - public, documented name.
    return JoinedMember(
        binding,
        row.certificate_der,
        row.commitment,
        row.nonce,
        Progress(**times),
        bool(row.expelled),
    )


def _marked(members: list[AnyRow], column: str) -> tuple[MemberName, ...]:
    """Return who carries a mark, by name."""
    return tuple(
        sorted(
            MemberName(row.member)
            for row in members
            if row._mapping[column]  # noqa: SLF001 - public, documented name.
        )
    )


def _placed(members: list[AnyRow], column: str) -> tuple[MemberName, ...]:
    placed = [
        (place, MemberName(row.member))
        for row in members
        if (place := row._mapping[column]) is not None  # noqa: SLF001 - public, documented name.
    ]
    return tuple(name for _, name in sorted(placed, key=lambda pair: pair[0]))
