"""Synthesis jobs at a router whose ledger came back from a backup."""

from pathlib import Path

import pytest

from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.budget.backup.archive import back_up
from federated_router.budget.backup.restore import Restore, restore
from federated_router.kit import errors
from federated_router.kit.clock import SystemClock
from federated_router.synthesis.backup import SYNTHESES
from tests.support.fix_pki import Pki
from tests.support.fix_router import TOKENS_MAX, router_in
from tests.support.synthesis_world import Caller, job_request

LAST = 4
"""Records in the last of the three batches."""


def url_in(directory: Path) -> str:
    """Return the address of the ledger of a router in this folder."""
    return f"sqlite+aiosqlite:///{directory / 'ledger.sqlite'}"


async def save(directory: Path, path: Path) -> None:
    """Back the router's ledger up while it runs, or when it has ended."""
    await back_up(
        url_in(directory),
        path,
        clock=SystemClock(),
        tell=lambda _table, _rows: None,
        annexes=(SYNTHESES,),
    )


async def bring_back(directory: Path, path: Path, *, nothing_since: bool) -> None:
    """Restore the backup into a router's folder."""
    directory.mkdir()
    wanted = Restore(
        path=path,
        restored_by="eve",
        reason="the disk died",
        nothing_since=nothing_since,
        annexes=(SYNTHESES,),
    )
    await restore(
        url_in(directory),
        wanted,
        clock=SystemClock(),
        tell=lambda _table, _rows: None,
    )


async def test_job_resumes_after_a_restore_with_one_charge(
    pki: Pki, tmp_path: Path
) -> None:
    """The router was stopped before the backup, so nothing came after it."""
    path, new = tmp_path / "ledger.backup", tmp_path / "new"
    async with router_in(pki, tmp_path) as router:
        await router.open_dataset()
        await router.node("n1")
        caller = await Caller.of(router)
        await caller.create(job_request())
        first = await caller.sample(0)
    await save(tmp_path, path)
    await bring_back(new, path, nothing_since=True)

    async with router_in(pki, new) as router:
        node = await router.node("n1")
        caller = await Caller.of(router)
        assert await caller.sample(0) == first
        assert not node.requests
        await caller.sample(1)
        await caller.sample(2, LAST)
        closed = await caller.finish()

        assert (closed.batches_sampled, closed.batches_spent) == (3, 0)
        assert closed.tokens_charged == await caller.tokens_spent() == 2


async def test_batch_that_was_sampled_after_the_backup_is_not_sampled_again(
    pki: Pki, tmp_path: Path
) -> None:
    """The restored job does not know it. It keeps its texts, and pays its grant."""
    path, new = tmp_path / "ledger.backup", tmp_path / "new"
    async with router_in(pki, tmp_path) as router:
        await router.open_dataset()
        await router.node("n1")
        caller = await Caller.of(router)
        await caller.create(job_request())
        first = await caller.sample(0)
        await save(tmp_path, path)
        await caller.sample(1)
    await bring_back(new, path, nothing_since=False)

    async with router_in(pki, new) as router:
        node = await router.node("n1")
        caller = await Caller.of(router)
        assert (await caller.get()).state == pb.Synthesis.STATE_FINISHING
        with pytest.raises(errors.RequestAlreadyServed):
            await caller.sample(1)
        with pytest.raises(errors.NotNow):
            await caller.sample(2, LAST)
        closed = await caller.finish()

        assert not node.requests
        assert closed.tokens_charged == await caller.tokens_spent() == TOKENS_MAX
        assert (await caller.batches())[0].text == first.text
