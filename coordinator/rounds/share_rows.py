"""Bodies in rows: the ciphertexts in one, the sealed shares in several.

Decides that the shares of neighbouring holders share a row of about one page, so that a
holder's are found without reading the dealers' bodies, and that no row is read whole.
Refuses to know what is in them and when they are stored (`store`).
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from coordinator import schema
from coordinator.rounds.round import Round
from coordinator.rounds.upload import Body
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.transcript import MemberName

ROW_BYTES: Final = 3_800
"""What fits a page of SQLite beside the keys; a larger share has a row of its own."""


def insert_body(connection: Connection, after: Round, body: Body) -> None:
    """Store a body that a round has accepted."""
    accepted = after.contributions[body.member]
    contribution = {
        "round": after.name,
        "member": body.member,
        "sha256": accepted.sha256,
        "signature": accepted.signature,
        "size_bytes": accepted.size_bytes,
        "body": body.content[: after.ciphertext_bytes],
    }
    connection.execute(insert(schema.contributions), [contribution])
    connection.execute(insert(schema.sealed_shares), _share_rows(after, body))


def ciphertext(
    connection: Connection, round_: Round, member: MemberName
) -> bytes | None:
    """Return the first part of a body; None where there is none."""
    table = schema.contributions
    part = func.substr(table.c.body, 1, round_.ciphertext_bytes)
    found: bytes | None = connection.scalar(
        select(part).where(table.c.round == round_.name, table.c.member == member)
    )
    return found


def first_place(round_: Round, place: int) -> int:
    """Return the first of the places with which `place` shares rows."""
    return _first_place(round_.layout, place, ROW_BYTES)


def shares_from(
    connection: Connection, round_: Round, place: int, dealers: Sequence[MemberName]
) -> list[bytes | None]:
    """Return each dealer's shares for `place` and those that share a row with it.

    `place` is the first of them. None for a dealer of whom there are none.
    """
    table = schema.sealed_shares
    statement = select(table.c.member, table.c.shares).where(
        table.c.round == round_.name, table.c.first_place == place
    )
    found = {row[0]: bytes(row[1]) for row in connection.execute(statement)}
    return [found.get(dealer) for dealer in dealers]


def forget_bodies(connection: Connection, round_: Round) -> None:
    """Delete all bodies of a round; digests and sizes stay."""
    bodies, shares = schema.contributions, schema.sealed_shares
    connection.execute(
        update(bodies).where(bodies.c.round == round_.name).values(body=None)
    )
    connection.execute(delete(shares).where(shares.c.round == round_.name))


def delete_body(connection: Connection, round_: Round, member: MemberName) -> None:
    """Delete one member's contribution and everything of it."""
    for table in (schema.contributions, schema.sealed_shares):
        gone = (table.c.round == round_.name) & (table.c.member == member)
        connection.execute(delete(table).where(gone))


def _share_rows(round_: Round, body: Body) -> list[dict[str, object]]:
    layout, content = round_.layout, body.content
    key = content[layout.key]
    return [
        {
            "round": round_.name,
            "first_place": first,
            "member": body.member,
            "shares": b"".join(key + content[box] for box in boxes),
        }
        for first, boxes in _neighbours(layout, ROW_BYTES)
    ]


@lru_cache(maxsize=4)
def _neighbours(
    layout: BodyLayout, row_bytes: int
) -> tuple[tuple[int, tuple[slice, ...]], ...]:
    """Return, for each row, its first place and where its holders' boxes lie."""
    places = range(layout.thresholds.holders)
    rows = groupby(places, lambda place: _first_place(layout, place, row_bytes))
    return tuple(
        (first, tuple(layout.box(place + 1) for place in together))
        for first, together in rows
    )


def _first_place(layout: BodyLayout, place: int, row_bytes: int) -> int:
    """Holders who are sent a seed share no row with the others: one size for a row."""
    seeded = layout.thresholds.privacy
    start = seeded if place >= seeded else 0
    together = max(1, row_bytes // layout.sealed_bytes(place + 1))
    return place - (place - start) % together
