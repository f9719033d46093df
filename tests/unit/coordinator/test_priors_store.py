"""Published priors are kept whole, and those of older versions stay readable."""

import json
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, text

from coordinator.app import MIGRATIONS
from coordinator.priors import store as priors_store
from coordinator.priors.store import (
    PriorsStore,
    catalogue_from_json,
    catalogue_to_json,
)
from federated_router.kit.database import Database
from federated_router.kit.errors import FieldInvalid, RoundStateWrong
from federated_router.priors.blocks import Block
from federated_router.priors.contents import CellCounts, Contents, HoldoutSums
from federated_router.priors.publication import Priors
from tests.unit.priors.worlds import LAYOUT, priors_of

OLD_CATALOGUE = {
    "version": 4,
    "models": ["models/a", "models/b"],
    "regions": ["eu"],
    "latency_bounds_ms": [1.0, 2.0],
    "slot_max": 1000,
}
"""As revision 1 of the schema stored a catalogue, before there were blocks."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path}/state/coordinator.sqlite"


async def written_before(url: str, folder: Path) -> None:
    """Leave a store as revision 1 of the schema wrote it, with one publication."""
    directory = folder / "coordinator" / "migrations"
    directory.mkdir(parents=True)
    shutil.copy(Path(str(files(MIGRATIONS))) / "v0001_rounds.py", directory)
    database = await Database.open(url, migrations=directory)
    await database.write("fill", _fill_old)
    await database.close()


def _fill_old(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO rounds (name, request_sha256, terms_json, state, deadline_s, "
            "roster_hash, beacon, end_cause, priors_revision, version) VALUES "
            "('rounds/old', x'00', '{}', 'published', 0, x'', x'', '', 1, 9)"
        )
    )
    connection.execute(
        text(
            "INSERT INTO priors (revision, round, create_s, catalogue_json, members, "
            "noise_standard_deviation, sums) VALUES "
            "(1, 'rounds/old', 12.5, :catalogue, 3, 6.5, :sums)"
        ),
        {
            "catalogue": json.dumps(OLD_CATALOGUE),
            "sums": np.array([1, 2, -3, 4, 5, 6, 7, 8], dtype="<i8").tobytes(),
        },
    )


async def test_priors_of_an_older_version_are_read_as_they_were_meant(
    url: str, tmp_path: Path
) -> None:
    """A database from before blocks is migrated, not abandoned."""
    await written_before(url, tmp_path)

    database = await Database.open(url, migrations=MIGRATIONS)
    found = await PriorsStore(database).newest()
    await database.close()

    assert found is not None
    assert found.catalogue.blocks == (Block.PERFORMANCE,)
    assert found.catalogue.tiers == ("standard",)
    assert [*found.performance.values()] == [
        CellCounts((1, 2, -3), 4),
        CellCounts((5, 6, 7), 8),
    ]
    assert found.noise_of("latency") == 6.5
    assert (found.members, found.create_time_s) == (3, 12.5)


ROUND = text(
    "INSERT INTO rounds (name, request_sha256, terms_json, state, deadline_s, "
    "roster_hash, beacon, end_cause, priors_revision, version, reservation) VALUES "
    "('rounds/r1', x'00', '{}', :state, 0, x'', x'', '', 0, 0, '')"
)


async def publish(
    url: str, priors: Priors, *, state: str = "published"
) -> Priors | None:
    """Store priors of a round in this state, and read the newest ones back."""
    database = await Database.open(url, migrations=MIGRATIONS)

    def work(connection: Connection) -> None:
        connection.execute(ROUND, {"state": state})
        priors_store.insert(connection, priors)

    try:
        await database.write("publish", work)
        return await PriorsStore(database).newest()
    finally:
        await database.close()


async def test_every_block_is_read_as_it_was_written(url: str) -> None:
    """Negative sums and a block's own noise included."""
    contents = Contents(
        performance={LAYOUT.cells[0]: CellCounts((9, 8, 7, 6, 5), 4, tokens=3)},
        holdout=HoldoutSums(10, -7),
    )
    priors = replace(
        priors_of(contents, noise=2.5), noise_by_block={Block.CARBON: 9.25}
    )

    assert await publish(url, priors) == priors


@pytest.mark.parametrize("state", ["rejected", "aborted", "validating"])
async def test_round_that_was_not_published_leaves_no_priors(
    url: str, state: str
) -> None:
    """A router that asks for the newest revision must never get a refused one."""
    with pytest.raises(RoundStateWrong):
        await publish(url, priors_of(Contents()), state=state)

    database = await Database.open(url, migrations=MIGRATIONS)
    assert await PriorsStore(database).newest() is None
    await database.close()


def test_catalogue_is_read_as_it_was_written() -> None:
    """Rounds keep their terms over a restart; a changed digest would end them."""
    found = catalogue_from_json(catalogue_to_json(LAYOUT))

    assert found == LAYOUT
    assert found.sha256 == LAYOUT.sha256


def test_block_of_a_newer_version_is_refused_by_name() -> None:
    """A daemon that was rolled back must say why it cannot read its store."""
    stored = json.dumps({**OLD_CATALOGUE, "blocks": ["performance", "weather"]})

    with pytest.raises(FieldInvalid, match="weather"):
        catalogue_from_json(stored)
