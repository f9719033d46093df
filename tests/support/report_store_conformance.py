"""What every store of reports and conduct promises."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, insert

from coordinator import schema
from coordinator.app import MIGRATIONS
from coordinator.robust.dip import DipTest
from coordinator.robust.offenders import Conduct
from coordinator.robust.store import OffenderStore, insert_conduct
from coordinator.rounds.state import State
from coordinator.validation import store
from coordinator.validation.report import CohortReport, HoldoutReport, RoundReport
from federated_router.crypto.transcript import MemberName
from federated_router.kit.database import Database

ROUNDS = tuple(f"rounds/r{number}" for number in range(1, 6))
REPORT = RoundReport(
    stability=0.75,
    diversity=0.5,
    quality=0.625,
    performance_delta=-0.25,
    converged=0.9,
    holdout=HoldoutReport(1200, 0.125, 0.03, conclusive=True),
    cohorts=(
        CohortReport(1, 5, 4, 0.25, outlier=False),
        CohortReport(2, 5, 5, 1.0, outlier=True),
        CohortReport(3, 5, 0, 0.0, outlier=False),
    ),
    poisoners_tolerated=1,
    poisoner_influence=37.5,
    dip=DipTest(50, 0.0625, 0.25, 0.75),
    failed_checks=("stability",),
)
A, B = MemberName("node/a"), MemberName("node/b")


def quiet(member: MemberName) -> Conduct:
    """Return a round in which nothing was wrong."""
    return Conduct(
        member, lied=False, inconsistent=False, outlying=False, outlying_chance=0.25
    )


def insert_rounds(connection: Connection) -> None:
    """Store ROUNDS as published, the last one newest."""
    rows = [
        {
            "name": name,
            "request_sha256": b"",
            "terms_json": "{}",
            "state": State.PUBLISHED.value,
            "deadline_s": 0.0,
            "roster_hash": b"",
            "beacon": b"",
            "end_cause": "",
            "priors_revision": 0,
            "reservation": "",
            "version": 1,
        }
        for name in ROUNDS
    ]
    connection.execute(insert(schema.rounds), rows)


class ReportStoreConformance:
    """Subclasses give `url`, the address of an empty database."""

    __test__ = False

    @pytest.fixture
    async def database(self, url: str) -> AsyncIterator[Database]:
        """Return a migrated store with ROUNDS in it."""
        opened = await Database.open(url, migrations=MIGRATIONS)
        await opened.write("rounds", insert_rounds)
        yield opened
        await opened.close()

    async def test_report_is_read_as_it_was_stored(self, database: Database) -> None:
        """And a round without one has none."""
        await database.write(
            "report", lambda connection: store.insert(connection, ROUNDS[0], REPORT)
        )
        reports = store.ReportStore(database)

        assert await reports.of_round(ROUNDS[0]) == REPORT
        assert await reports.of_round(ROUNDS[1]) is None

    async def test_pooled_figures_are_those_of_the_newest_rounds(
        self, database: Database
    ) -> None:
        """At most as many rounds as are asked for, the newest first."""

        def work(connection: Connection) -> None:
            for number, name in enumerate(ROUNDS, start=1):
                samples = (number + 0.25, number + 0.75)
                store.insert(connection, name, REPORT, samples=samples)

        await database.write("reports", work)

        pooled = await store.ReportStore(database).pooled(rounds_max=2)

        assert pooled == (5.25, 5.75, 4.25, 4.75)

    async def test_conduct_adds_up_by_member(self, database: Database) -> None:
        """A is fine in two rounds; B lied in one and stood apart in both."""

        def work(connection: Connection) -> None:
            for name, lied in zip(ROUNDS[:2], (True, False), strict=True):
                bad = Conduct(
                    B,
                    lied=lied,
                    inconsistent=False,
                    outlying=True,
                    outlying_chance=0.25,
                )
                insert_conduct(connection, name, [quiet(A), bad], rounds_max=10)

        await database.write("conduct", work)
        offenders = OffenderStore(database)

        found = await offenders.all()

        assert [one.member for one in found] == [A, B]
        assert (found[0].rounds, found[0].outlying_tail) == (2, 1.0)
        assert (found[1].lies, found[1].outlying) == (1, 2)
        assert found[1].outlying_tail == 0.0625
        assert await offenders.standing(B) == found[1]
        assert (await offenders.standing(MemberName("node/c"))).rounds == 0

    async def test_conduct_of_old_rounds_is_forgotten(self, database: Database) -> None:
        """The limit is reached: of five rounds the newest three are kept.

        A lied in the first and in the last one.
        """
        lie = replace(quiet(A), lied=True)

        def work(connection: Connection) -> None:
            for name in ROUNDS:
                one = lie if name in {ROUNDS[0], ROUNDS[-1]} else quiet(A)
                insert_conduct(connection, name, [one], rounds_max=3)

        await database.write("conduct", work)

        found = await OffenderStore(database).standing(A)
        assert (found.rounds, found.lies) == (3, 1)
