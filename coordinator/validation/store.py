"""Where rounds' reports are kept, and the cohort figures that later rounds pool.

Decides the rows. `insert` runs inside the transaction that ends the round, so that a
round that was judged has a report, whether it was published or rejected.
"""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlalchemy import insert as insert_into

from coordinator import schema
from coordinator.robust.offenders import conduct
from coordinator.robust.store import insert_conduct
from coordinator.rounds.round import Round
from coordinator.validation.judgement import Judgement
from coordinator.validation.report import RoundReport, from_json, to_json
from federated_router.kit.database import Database


class ReportStore:
    """Reads what was found in rounds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_round(self, round_name: str) -> RoundReport | None:
        """Return a round's report; None where its sums were never judged."""
        async with self._database.read("report") as connection:
            return await connection.run_sync(read, round_name)

    async def pooled(self, *, rounds_max: int) -> tuple[float, ...]:
        """Return the cohort figures of the newest rounds, the newest first."""
        table = schema.reports
        statement = (
            select(table.c.samples_json)
            .join(schema.rounds, schema.rounds.c.name == table.c.round)
            .order_by(schema.rounds.c.sequence.desc())
            .limit(rounds_max)
        )
        async with self._database.read("pooled cohort figures") as connection:
            found = await connection.execute(statement)
            return tuple(
                float(value) for (text,) in found for value in json.loads(text)
            )


def insert(
    connection: Connection,
    round_name: str,
    report: RoundReport,
    *,
    samples: Sequence[float] = (),
) -> None:
    """Store a report inside the caller's transaction.

    `samples` are the round's own figures for pooling, `Judgement.samples`.
    """
    values = {
        "round": round_name,
        "report_json": to_json(report),
        "samples_json": json.dumps(list(samples), allow_nan=False),
    }
    connection.execute(insert_into(schema.reports).values(values))


def insert_judgement(
    connection: Connection, round_: Round, judgement: Judgement, *, rounds_max: int
) -> None:
    """Store a judged round's report and its members' conduct, with its end.

    `round_` is the round as it ended; of conduct `rounds_max` rounds are kept.
    """
    insert(connection, round_.name, judgement.report, samples=judgement.samples)
    insert_conduct(
        connection,
        round_.name,
        conduct(
            round_.roster,
            liars=round_.liars,
            inconsistent=round_.inconsistent,
            cohorts=dict(round_.open_cohorts),
            outlying=judgement.outlying,
        ),
        rounds_max=rounds_max,
    )


def read(connection: Connection, round_name: str) -> RoundReport | None:
    """Return a round's report inside the caller's transaction; None without one."""
    table = schema.reports
    statement = select(table.c.report_json).where(table.c.round == round_name)
    found = connection.execute(statement).scalar()
    return None if found is None else from_json(str(found))
