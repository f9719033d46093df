"""A judged round in the store: what is read for it, and what is kept of it."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Connection

from coordinator.priors.store import PriorsStore
from coordinator.priors.store import insert as insert_priors
from coordinator.robust.store import OffenderStore
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.summation.opened import OpenedCohort, OpenedRound
from coordinator.validation import store
from coordinator.validation.inspection import Inspector
from coordinator.validation.judgement import JudgeSettings
from federated_router.crypto.ckks import SLOTS
from federated_router.kit.database import Database
from tests.support import round_script as script
from tests.support.report_store_conformance import ROUNDS
from tests.unit.validation.round_of_cohorts import Made, published

ROUND: Round = replace(
    script.round_in(State.VALIDATING), name=RoundName(ROUNDS[1]), liars=()
)


def opened(*, count: int) -> OpenedRound:
    """Return an empty sum of the whole roster with this in its count slot."""
    slots = np.zeros(SLOTS, dtype=np.int64)
    slots[0] = count
    survivors = len(ROUND.survivors)
    return OpenedRound((OpenedCohort(1, len(ROUND.roster), survivors, slots),))


def inspector(database: Database) -> Inspector:
    """Return an inspector with default settings."""
    return Inspector(
        reports=store.ReportStore(database),
        priors=PriorsStore(database),
        settings=JudgeSettings(),
    )


async def test_earlier_rounds_are_pooled_and_compared_with(database: Database) -> None:
    """Figures and priors of the round before are read from the store."""
    before = Made(cohorts=10).judged()
    priors = replace(published(before), round_name=ROUNDS[0])

    def work(connection: Connection) -> None:
        store.insert(connection, ROUNDS[0], before.report, samples=before.samples)
        insert_priors(connection, priors)

    await database.write("a round before", work)

    found = await inspector(database).judgement(
        ROUND, opened(count=len(ROUND.survivors))
    )

    assert found.report.dip.samples == len(before.samples)
    assert not found.rejected


@pytest.mark.parametrize("wrong", [0, 1])
async def test_judged_round_is_kept_with_its_members_conduct(
    database: Database, wrong: int
) -> None:
    """Published or rejected: the report and who lied, in one transaction."""
    ended = replace(ROUND, liars=ROUND.roster[:1])
    found = await inspector(database).judgement(
        ended, opened(count=len(ended.survivors) + wrong)
    )

    await database.write(
        "end of a round",
        lambda connection: store.insert_judgement(
            connection, ended, found, rounds_max=10
        ),
    )

    assert found.rejected == bool(wrong)
    assert await store.ReportStore(database).of_round(ended.name) == found.report
    standings = await OffenderStore(database).all()
    assert [one.member for one in standings] == sorted(ended.roster)
    assert [one.lies for one in standings] == [1, 0, 0, 0]
    assert [one.outlying for one in standings] == [wrong] * len(ended.survivors)
