"""The holders' checks in rows: their digests, or a few of them whole.

Decides that no more than CHECKS_TOGETHER are in memory at once: they grow with the
square of the roster. Refuses to know what they say (`judging`).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, select

from coordinator import schema
from coordinator.rounds.contents import check_digest
from coordinator.rounds.round import RoundName
from federated_router.crypto.transcript import MemberName

CHECKS_TOGETHER: Final = 64
"""Half a megabyte of a round of 1,000."""


def digests(connection: Connection, name: RoundName) -> Mapping[MemberName, bytes]:
    """Return what a round keeps of its checks."""
    return MappingProxyType(
        {
            member: check_digest(check)
            for page in _pages(connection, name)
            for member, check in page.items()
        }
    )


def page(
    connection: Connection, name: RoundName, after: MemberName | None
) -> dict[MemberName, bytes]:
    """Return the first checks by the names of members, of those after one of them."""
    table = schema.checks
    statement = select(table.c.member, table.c.combinations)
    statement = statement.where(table.c.round == name).order_by(table.c.member)
    if after is not None:
        statement = statement.where(table.c.member > after)
    found = connection.execute(statement.limit(CHECKS_TOGETHER))
    return {MemberName(row.member): bytes(row.combinations) for row in found}


def _pages(
    connection: Connection, name: RoundName
) -> Iterator[dict[MemberName, bytes]]:
    last = None
    while found := page(connection, name, last):
        yield found
        *_, last = found
