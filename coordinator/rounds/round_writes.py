"""The rows that a transition of a round changes, inside the transaction of its store.

Decides which rows those are, that one coordinator at a time writes a round, and that
bodies, checks and answers go when it ends. Refuses to open transactions (`store`).
"""

from sqlalchemy import Connection, bindparam, delete, insert, update

from coordinator import schema
from coordinator.rounds import rows, share_rows
from coordinator.rounds.contents import Contents
from coordinator.rounds.round import Round
from federated_router.kit.errors import StoreUnavailable


def save(
    connection: Connection, before: Round, after: Round, contents: Contents
) -> None:
    """Write what differs, once it is certain that nobody else wrote since `before`.

    `contents` belongs to what differs; of a round that ends nothing is kept.

    Raises:
        StoreUnavailable: another coordinator has moved this round meanwhile.
    """
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
    _save_sayings(connection, before, after, contents)
    if after.ended and not before.ended:
        _forget(connection, after)


def _save_members(connection: Connection, before: Round, after: Round) -> None:
    table = schema.members
    changed = rows.member_rows(after, since=before)
    new = [row for name, row in changed.items() if name not in before.members]
    if new:
        connection.execute(insert(table), new)
    moved = [
        {"this_round": after.name, "this_member": name, **row}
        for name, row in changed.items()
        if name in before.members
    ]
    if moved:
        this = (table.c.round == bindparam("this_round")) & (
            table.c.member == bindparam("this_member")
        )
        connection.execute(update(table).where(this), moved)


def _save_sayings(
    connection: Connection, before: Round, after: Round, contents: Contents
) -> None:
    """Write what members sent that is new, and delete contributions that went."""
    if not after.ended:
        for body in contents.bodies:
            share_rows.insert_body(connection, after, body)
    checks = [
        {"round": after.name, "member": name, "combinations": contents.checks[name]}
        for name in after.checks.keys() - before.checks.keys()
    ]
    if checks:
        connection.execute(insert(schema.checks), checks)
    answers = [
        {"round": after.name, "member": name, "share_sum": after.answers[name]}
        for name in after.answers.keys() - before.answers.keys()
    ]
    if answers:
        connection.execute(insert(schema.answers), answers)
    for name in before.contributions.keys() - after.contributions.keys():
        share_rows.delete_body(connection, after, name)


def _forget(connection: Connection, after: Round) -> None:
    """Delete what could still be opened; digests and sizes stay."""
    share_rows.forget_bodies(connection, after)
    for said in (schema.checks, schema.answers):
        connection.execute(delete(said).where(said.c.round == after.name))
