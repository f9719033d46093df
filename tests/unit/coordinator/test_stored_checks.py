"""Checks are kept by the store; a round and its coordinator's memory hold digests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from coordinator import schema
from coordinator.rounds import check_rows
from coordinator.rounds.contents import check_digest
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.kit.errors import ShareConflict, StoreUnavailable
from tests.support import round_script as script
from tests.support.round_store_conformance import OpenStores, path_to

SENT = {script.member(index): b"check %d" % index * 100 for index in (1, 2, 3, 4)}


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[OpenStores]:
    """Return open stores on an empty database."""
    opened = await OpenStores.open(f"sqlite+aiosqlite:///{tmp_path / 'rounds.sqlite'}")
    yield opened
    await opened.database.close()


async def checked(stores: OpenStores) -> Round:
    """Return a stored round of which all four holders sent another check."""
    round_ = await stores.play(*path_to(State.CHECKING))
    for index, combinations in enumerate(SENT.values(), start=1):
        event = script.checked(index, combinations=combinations)
        round_ = await stores.step(round_, event)
    return round_


@pytest.mark.parametrize("together", [1, 2, 3, 4, 64])
async def test_checks_are_read_back_a_few_at_a_time(
    stores: OpenStores, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    """A thousand of 8 kB are 8 MB; however many come together, none is left out."""
    monkeypatch.setattr(check_rows, "CHECKS_TOGETHER", together)
    round_ = await checked(stores)

    pages = [dict(page) async for page in stores.rounds.checks(round_)]

    assert max(map(len, pages)) == min(together, 4)
    assert {name: told for page in pages for name, told in page.items()} == SENT
    assert sum(map(len, pages)) == len(SENT)


async def test_a_round_holds_digests_of_checks_before_and_after_a_restart(
    stores: OpenStores,
) -> None:
    """The answer to a second check is the same, and memory does not grow with both."""
    round_ = await checked(stores)

    found = await stores.rounds.load(script.NAME)

    digests = {name: check_digest(told) for name, told in SENT.items()}
    assert round_.checks == found.checks == digests
    again = script.checked(1, combinations=SENT[script.member(1)])
    assert script.play(found, again) is found
    with pytest.raises(ShareConflict):
        script.play(found, script.checked(1, combinations=b"another"))


async def test_a_check_that_is_not_in_the_store_is_noticed(stores: OpenStores) -> None:
    """A verdict without it could blame the wrong member; it is asked for again."""
    round_ = await checked(stores)
    table = schema.checks
    async with stores.database.transaction("lose") as connection:
        await connection.execute(
            delete(table).where(table.c.member == script.member(3))
        )

    with pytest.raises(StoreUnavailable):
        async for _ in stores.rounds.checks(round_):
            pass
